"""``info``: what a model is and where it comes from."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from cybersecqwen.cli.common import EXIT_DONE, print_json, printable

if TYPE_CHECKING:
    from cybersecqwen.specialists.model_info import ModelFacts

HELP = "check a model's files and say what it is and where it comes from"
EXAMPLES = (
    "info",
    "info model",
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "model",
        nargs="?",
        default="embedded",
        metavar="MODEL",
        help="embedded, or a model folder (embedded)",
    )
    parser.add_argument(
        "--digest",
        action="store_true",
        help="print the SHA-256 of any model file or folder, as serve --model-sha256 wants it",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Describe a model."""
    if arguments.digest:
        return _print_digest(arguments)
    from cybersecqwen.specialists.model_info import model_facts

    facts = model_facts(arguments.model)
    from cybersecqwen.apps.freshness import installed_parts

    parts = installed_parts()
    if arguments.json:
        print_json(msgspec.to_builtins(facts) | {"parts": [asdict(part) for part in parts]})
    else:
        print(_describe(facts))
        print("\n".join(printable(f"age         {part}") for part in parts))
    return EXIT_DONE


def _print_digest(arguments: argparse.Namespace) -> int:
    from cybersecqwen.core.files import digest_of
    from cybersecqwen.specialists.model import shipped_folder

    path = shipped_folder() if arguments.model == "embedded" else Path(arguments.model)
    digest = digest_of(path)
    if arguments.json:
        print_json({"path": str(path), "sha256": digest})
    else:
        print(digest)
    return EXIT_DONE


def _describe(facts: ModelFacts) -> str:
    lines = [
        f"{facts.name} {facts.version}: text to CWE ids, embedded",
        f"folder      {facts.path}",
        f"size        {facts.bytes / 1e6:.1f} MB",
        f"labels      {len(facts.labels)} CWE ids of catalogue {facts.taxonomy_version}",
        f"reads       {facts.max_tokens} tokens of a text",
        *(
            f"labeller    {name}: temperature {facts.temperature[name]:.3f}, "
            f"abstains under {facts.threshold[name]:.2f}"
            for name in facts.labellers
        ),
        *(f"file        {name}: {size:,} bytes" for name, size in facts.files.items()),
        *(f"sha256      {digest}  {name} (checked)" for name, digest in facts.sha256.items()),
        *(f"provenance  {key}: {value}" for key, value in facts.provenance.items()),
    ]
    return "\n".join(map(printable, lines))
