"""``export``: a fine-tuned model in the form that another program reads, checked against itself."""

from __future__ import annotations

import argparse
import shutil
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cybersecqwen.cli.common import EXIT_DONE, print_json, warn
from cybersecqwen.core.errors import InputError

if TYPE_CHECKING:
    from cybersecqwen.llm.parity import ParityComparison

HELP = "merge a fine-tuned adapter, quantise it to GGUF, and check that it answers as before"

# The largest mean gap to the source, nats a character. Rounding alone stays under the first; a
# quantisation costs something, which the evaluation has to tell; past the second it is broken.
_ROUNDING = 0.05
_QUANTISED = 0.5


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verb's commands."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    merge = actions.add_parser("merge", help="base and adapter as one model folder")
    adapter = actions.add_parser("adapter", help="the adapter alone")
    for parts in (merge, adapter):
        parts.add_argument("adapter", type=Path, metavar="ADAPTER", help="folder of `train lora`")
        parts.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to make")
        parts.add_argument("--base", metavar="ID|DIR", help="where the base is (as it says)")
    adapter.add_argument(
        "--type", choices=("f32", "bf16"), default="f32", help="of its numbers (f32)"
    )
    gguf = actions.add_parser("gguf", help="a model folder as one file for llama.cpp")
    gguf.add_argument("model", type=Path, metavar="DIR", help="folder of `export merge`")
    gguf.add_argument("--out", type=Path, required=True, metavar="FILE")
    gguf.add_argument("--type", choices=("f16", "q8_0", "q4_k_m"), default="q4_k_m")
    gguf.add_argument(
        "--imatrix-text",
        type=Path,
        metavar="FILE",
        help="training text (JSONL rows or plain) to measure which weights matter; no benchmark",
    )
    gguf.add_argument(
        "--threads", type=int, metavar="N", help="of the comparison (llama.cpp's own choice)"
    )
    gguf.add_argument(
        "--against",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="benchmark files; an --imatrix-text that overlaps one is refused",
    )
    for parts in (merge, adapter, gguf):
        parts.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Export, compare with the source, and say how alike they are."""
    if arguments.out.exists():
        raise InputError(f"{arguments.out}: is there already; give another name, or remove it")
    return {"merge": _merge, "adapter": _adapter, "gguf": _gguf}[arguments.action](arguments)


def _merge(arguments: argparse.Namespace) -> int:
    from cybersecqwen.training.export.merge import merge

    _stage("merging")
    merge(arguments.adapter, arguments.out, arguments.base)
    return _report(arguments, f"hf:{arguments.adapter}", f"hf:{arguments.out}", _ROUNDING, {})


def _adapter(arguments: argparse.Namespace) -> int:
    from cybersecqwen.training.export.merge import export_adapter

    export_adapter(arguments.adapter, arguments.out, arguments.type, arguments.base)
    return _report(arguments, f"hf:{arguments.adapter}", f"hf:{arguments.out}", _ROUNDING, {})


def _gguf(arguments: argparse.Namespace) -> int:
    from cybersecqwen.training.export.gguf.write import write_gguf

    importance, told = None, ""
    if arguments.imatrix_text:
        importance, told = _importance(arguments)
    _stage("writing")
    types = write_gguf(arguments.model, arguments.out, arguments.type, importance, told)
    limit = _ROUNDING if arguments.type == "f16" else _QUANTISED
    facts = {"type": arguments.type, "tensors": types, "importance": told or None}
    return _report(arguments, f"hf:{arguments.model}", f"gguf:{arguments.out}", limit, facts)


def _importance(arguments: argparse.Namespace) -> tuple[Any, str]:
    from cybersecqwen.core.files import sha256_file
    from cybersecqwen.training.export.gguf.importance import measure, read_texts

    text = arguments.imatrix_text
    texts = read_texts(text)
    if arguments.against:
        from cybersecqwen.corpus.cleaning.check import check_corpus

        found = check_corpus(text, arguments.against)
        if not found.clean:
            raise InputError(f"{text}: {found.overlapping_rows:,} rows overlap a benchmark")
    _stage("measuring importance")
    return measure(arguments.model, texts), f"{text.name} {sha256_file(text)[:16]}"


def _report(
    arguments: argparse.Namespace, source: str, made: str, limit: float, facts: dict[str, Any]
) -> int:
    """Compare with the source, write what was found beside the export, and print it."""
    from cybersecqwen.core.files import write_json

    _stage("comparing")
    out: Path = arguments.out
    try:
        found = _compared(arguments, source, made, limit)
    except BaseException:
        _remove(out)
        raise
    files = [out] if out.is_file() else [file for file in out.rglob("*") if file.is_file()]
    size = sum(file.stat().st_size for file in files)
    record = {
        "output": str(out),
        "bytes": size,
        "source": source,
        **facts,
        "comparison": asdict(found),
    }
    write_json(
        out.with_name(f"{out.name}.check.json") if out.is_file() else out / "check.json", record
    )
    if arguments.json:
        print_json(record)
    else:
        print(
            f"{out}: {size / 1e6:,.1f} MB; {found.same_text} of {found.prompts} answers word for "
            f"word those of {source}, log-probabilities {found.mean_gap:.4f} nats a character apart"
        )
    return EXIT_DONE


def _compared(
    arguments: argparse.Namespace, source: str, made: str, limit: float
) -> ParityComparison:
    from cybersecqwen.llm import open_backend
    from cybersecqwen.llm.parity import compare_backends, require_likeness

    moved = getattr(arguments, "base", None)
    options: dict[str, Any] = {"base": moved} if moved else {}
    threads = getattr(arguments, "threads", None)
    limits: dict[str, Any] = {"threads": threads} if threads else {}
    found = compare_backends(
        lambda: open_backend(source, **options), lambda: open_backend(made, **limits)
    )
    require_likeness(found, limit, made)
    return found


def _remove(out: Path) -> None:
    if out.is_file():
        out.unlink()
    else:
        shutil.rmtree(out, ignore_errors=True)


def _stage(name: str) -> None:
    if sys.stderr.isatty():
        warn(name)
