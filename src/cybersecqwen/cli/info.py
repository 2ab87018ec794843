"""``info``: what a model is and where it comes from."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from cybersecqwen.cli.common import EXIT_DONE, print_json, printable

if TYPE_CHECKING:
    from cybersecqwen.core.model_files import ModelFiles
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
        help="embedded, or any model's folder or file (embedded)",
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
    from cybersecqwen.apps.freshness import installed_parts
    from cybersecqwen.core.model_files import describe_model_files, is_other_model
    from cybersecqwen.core.model_spec import ModelSpec
    from cybersecqwen.specialists.model import resolve_folder
    from cybersecqwen.specialists.model_info import model_facts

    spec = ModelSpec.parse(arguments.model)
    on_disk = spec.scheme in {"hf", "gguf"}
    path = Path(spec.target) if on_disk else resolve_folder(arguments.model)
    if on_disk or is_other_model(path):
        files = describe_model_files(path)
        if arguments.json:
            print_json(files)
        else:
            print("\n".join(map(printable, _describe_files(files))))
        return EXIT_DONE
    facts = model_facts(arguments.model)
    files = describe_model_files(path)
    parts = installed_parts()
    if arguments.json:
        trust = {"unstated": files.unstated, "code": files.code}
        print_json(msgspec.to_builtins(facts) | trust | {"parts": [asdict(part) for part in parts]})
    else:
        print(_describe(facts))
        print("\n".join(map(printable, _describe_trust(files))))
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


def _describe_files(files: ModelFiles) -> list[str]:
    checked = set(files.checked)
    return [
        f"{files.path}: {files.kind}",
        f"size        {files.bytes / 1e6:.1f} MB",
        f"digest      {files.digest}",
        *(
            f"sha256      {digest}  {name}{' (checked)' if name in checked else ''}"
            for name, digest in files.sha256.items()
        ),
        *(f"provenance  {key}: {value}" for key, value in files.provenance.items()),
        *_describe_trust(files),
    ]


def _describe_trust(files: ModelFiles) -> list[str]:
    """Say what was compared with what the folder states, and what in it is never run."""
    unstated = ", ".join(files.unstated) or "none"
    code = f"{', '.join(files.code)}: never run or loaded" if files.code else "none"
    if files.asks_for_code:
        code += "; its configuration asks for code of its own (auto_map), which is not run"
    return [
        f"trust       checked against what the folder states: {len(files.checked)} files; "
        f"stated nowhere: {unstated}",
        f"trust       code among its files: {code}",
    ]
