"""``export``: a fine-tuned model in the form that another program reads, checked against itself."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cybersecqwen.cli.common import EXIT_DONE, pairs_of, print_json, show_progress
from cybersecqwen.core.errors import InputError

if TYPE_CHECKING:
    from cybersecqwen.apps.export import ExportResult

HELP = "merge a fine-tuned adapter, quantise it to GGUF, and check that it answers as before"
EXAMPLES = (
    "export merge adapter --out merged",
    "export gguf merged --type q4_k_m --out model.gguf",
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verb's commands."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    merge = actions.add_parser("merge", help="base and adapter as one model folder")
    adapter = actions.add_parser(
        "adapter", help="the adapter alone, or an adapter of what full fine-tuning changed"
    )
    for parts in (merge, adapter):
        parts.add_argument("tuned", type=Path, metavar="TUNED", help="folder of `train lora`")
        parts.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to make")
        parts.add_argument("--base", metavar="ID|DIR", help="where the base is (as it says)")
        parts.add_argument(
            "--scale",
            type=float,
            default=1.0,
            metavar="FACTOR",
            help="average with the base's weights: what was learnt counts so many times (1)",
        )
    adapter.add_argument(
        "--type", choices=("f32", "bf16"), default="f32", help="of its numbers (f32)"
    )
    adapter.add_argument(
        "--add",
        action="append",
        default=[],
        metavar="DIR=FACTOR",
        help="another adapter of the base, whose product is added so many times",
    )
    adapter.add_argument(
        "--rank",
        type=int,
        metavar="N",
        help="cut it to the size of rank N: the largest singular values of all products (as it is);"
        " of a whole model: make one of its difference from its base",
    )
    gguf = actions.add_parser("gguf", help="a model folder as one file for llama.cpp")
    _configure_gguf(gguf)
    small = actions.add_parser("gguf-adapter", help="the adapter alone as a file for llama.cpp")
    _configure_gguf_adapter(small)
    for parts in (merge, adapter, gguf, small):
        parts.add_argument("--json", action="store_true", help="print one JSON object")


def _configure_gguf(gguf: argparse.ArgumentParser) -> None:
    gguf.add_argument("model", type=Path, metavar="DIR", help="folder of `export merge`")
    gguf.add_argument("--out", type=Path, required=True, metavar="FILE", help="to write")
    gguf.add_argument(
        "--type",
        choices=("f16", "q8_0", "q4_k_m"),
        default="q4_k_m",
        help="of its numbers (q4_k_m)",
    )
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
        action="extend",
        default=[],
        metavar="FILE",
        help="benchmark files; an --imatrix-text that overlaps one is refused",
    )


def _configure_gguf_adapter(small: argparse.ArgumentParser) -> None:
    small.add_argument("adapter", type=Path, metavar="ADAPTER", help="folder of `train lora`")
    small.add_argument("--out", type=Path, required=True, metavar="FILE", help="to write")
    small.add_argument(
        "--beside", type=Path, required=True, metavar="FILE", help="the base's GGUF, to try it with"
    )
    small.add_argument("--base", metavar="ID|DIR", help="where the base is (as the adapter says)")
    small.add_argument(
        "--threads", type=int, metavar="N", help="of the comparison (llama.cpp's own choice)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Export, compare with the source, and say how alike they are."""
    actions = {
        "merge": _merge,
        "adapter": _adapter,
        "gguf": _gguf,
        "gguf-adapter": _gguf_adapter,
    }
    result = actions[arguments.action](arguments)
    if arguments.json:
        print_json(result)
    else:
        found = result.comparison
        print(
            f"{result.output}: {result.bytes / 1e6:,.1f} MB; {found.same_text} of {found.prompts} "
            f"answers word for word those of {result.source}, log-probabilities "
            f"{found.mean_gap:.4f} nats a character apart" + _kept(result)
        )
    return EXIT_DONE


def _kept(result: ExportResult) -> str:
    """Say what share an adapter of a lower rank has of what it stands for."""
    if result.kept == 1:
        return ""
    inside = result.projections
    where = "" if inside == 1 else f", and {inside:.1%} lies in matrices that have adapters"
    return f"; {result.kept:.1%} of the squared norm kept{where}"


def _merge(arguments: argparse.Namespace) -> ExportResult:
    from cybersecqwen.apps.export import export_merged

    return export_merged(
        arguments.tuned,
        arguments.out,
        base=arguments.base,
        scale=arguments.scale,
        on_progress=show_progress(),
    )


def _added(pairs: Sequence[str]) -> list[tuple[Path, float]]:
    found = pairs_of("--add", pairs, "DIR=FACTOR")
    try:
        return [(Path(folder), float(factor)) for folder, factor in found]
    except ValueError:
        raise InputError(f"--add: factors are numbers, not {found[0][1]!r}") from None


def _adapter(arguments: argparse.Namespace) -> ExportResult:
    from cybersecqwen.apps.export import export_adapter

    return export_adapter(
        arguments.tuned,
        arguments.out,
        numbers=arguments.type,
        base=arguments.base,
        scale=arguments.scale,
        add=_added(arguments.add),
        rank=arguments.rank,
        on_progress=show_progress(),
    )


def _gguf(arguments: argparse.Namespace) -> ExportResult:
    from cybersecqwen.apps.export import export_gguf

    return export_gguf(
        arguments.model,
        arguments.out,
        quantisation=arguments.type,
        importance_text=arguments.imatrix_text,
        against=arguments.against,
        threads=arguments.threads,
        on_progress=show_progress(),
    )


def _gguf_adapter(arguments: argparse.Namespace) -> ExportResult:
    from cybersecqwen.apps.export import export_gguf_adapter

    return export_gguf_adapter(
        arguments.adapter,
        arguments.out,
        arguments.beside,
        base=arguments.base,
        threads=arguments.threads,
        on_progress=show_progress(),
    )
