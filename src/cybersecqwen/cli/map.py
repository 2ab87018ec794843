"""``map``: vulnerability text in, CWE ids with calibrated confidence out."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from cybersecqwen.cli.common import (
    EXIT_DONE,
    EXIT_SOME_FAILED,
    backend_options,
    print_json,
    printable,
    progress,
    warn,
)
from cybersecqwen.core.errors import CyberSecQwenError, InputError
from cybersecqwen.core.model_spec import ModelSpec
from cybersecqwen.core.records import Labeller, RecordProblem
from cybersecqwen.core.text.clean import clean

if TYPE_CHECKING:
    from cybersecqwen.apps.map_job import MapOptions
    from cybersecqwen.apps.outputs.rows import MapRow, RowMaker
    from cybersecqwen.apps.outputs.writers import Format
    from cybersecqwen.core.interfaces import CweClassifier

HELP = "map vulnerability texts to CWE ids, offline, with calibrated confidence"

TEXT_WIDTH = 120
"""Columns of a table that no terminal shows."""

_BY_ENDING: dict[str, Format] = {".csv": "csv", ".sarif": "sarif", ".txt": "table"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("text", nargs="?", help="a vulnerability description")
    parser.add_argument(
        "--input", metavar="FILE", help="records to map (.gz and .zip are read too); - is stdin"
    )
    parser.add_argument(
        "--format",
        metavar="NAME",
        default="auto",
        help="what --input holds, where its content does not tell: csv, jsonl, nvd, cve5, osv ... "
        "(auto)",
    )
    parser.add_argument(
        "--to",
        choices=("table", "jsonl", "csv", "sarif"),
        help="what to write (by --output's ending; else table on a terminal, jsonl elsewhere)",
    )
    parser.add_argument("--output", metavar="FILE", type=Path, help="write here, all or nothing")
    parser.add_argument(
        "--resume", action="store_true", help="go on with an --output that was interrupted"
    )
    parser.add_argument(
        "--top-k", metavar="N", type=int, default=5, help="candidates for each text (5)"
    )
    parser.add_argument(
        "--threshold",
        metavar="P",
        type=float,
        help="abstain under this confidence, 0 to 1 (the model's own)",
    )
    parser.add_argument(
        "--labeller",
        choices=get_args(Labeller),
        default="nvd",
        help="whose labelling convention to follow: NVD's analysts or the CVE's CNA (nvd)",
    )
    parser.add_argument(
        "--model",
        metavar="SPEC",
        default="embedded",
        help="embedded, a specialist's folder, or a language model (hf:ID_OR_DIR, gguf:FILE) that "
        "chooses from the embedded one's shortlist (embedded)",
    )
    parser.add_argument(
        "--shortlist", metavar="N", type=int, help="ids that a language model chooses from (10)"
    )
    parser.add_argument(
        "--shortlist-weight",
        metavar="W",
        type=float,
        help="exponent of the embedded model's own probabilities; 0: the language model's alone",
    )
    parser.add_argument(
        "--explain", action="store_true", help="let a language model write why, after its choice"
    )
    parser.add_argument(
        "--option",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="an option of the language model's backend, such as threads=4",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


class _Problems:
    """Names every record that failed on standard error, once, and remembers them."""

    def __init__(self) -> None:
        self.count = 0
        self.kept: list[RecordProblem] | None = None

    def report(self, problem: RecordProblem) -> None:
        self.count += problem.is_failure
        if self.kept is not None:
            self.kept.append(problem)
        # What a stranger's file calls its records must not reach the terminal as a command.
        line = printable(str(problem))
        warn(f"\r\x1b[K{line}" if sys.stderr.isatty() else line)

    def rows(self) -> list[dict[str, str]]:
        return [problem.row() for problem in self.kept or ()]

    @property
    def exit_code(self) -> int:
        return EXIT_SOME_FAILED if self.count else EXIT_DONE


def run(arguments: argparse.Namespace) -> int:
    """Map one text, or a file of records."""
    _check(arguments)
    from cybersecqwen.apps.map_job import MapOptions
    from cybersecqwen.apps.outputs.rows import RowMaker
    from cybersecqwen.core.taxonomy import shipped_taxonomy

    mapper = _open_model(arguments)
    options = MapOptions(arguments.labeller, arguments.top_k, arguments.threshold)
    maker = RowMaker(shipped_taxonomy(), mapper.name)
    if arguments.text is None:
        return _map_file(arguments, mapper, options, maker)
    prediction = mapper.map(
        arguments.text,
        labeller=options.labeller,
        top_k=options.top_k,
        threshold=options.threshold,
    )
    _print_text(arguments, maker.row("text", prediction))
    return EXIT_DONE


def _check(arguments: argparse.Namespace) -> None:
    """Refuse calls that cannot be meant, before anything is loaded or written."""
    if (arguments.text is None) == (arguments.input is None):
        raise InputError("give a text or --input FILE (- for standard input), one of the two")
    if arguments.top_k < 1:
        raise InputError(f"--top-k must be at least 1, not {arguments.top_k}")
    if arguments.threshold is not None and not 0 <= arguments.threshold <= 1:
        raise InputError(f"--threshold must be from 0 to 1, not {arguments.threshold}")
    if arguments.resume and (not arguments.output or arguments.input in {None, "-"}):
        raise InputError("--resume needs an --output FILE and an --input FILE that it can re-read")
    if arguments.json and not arguments.output and arguments.to not in {None, "jsonl"}:
        raise InputError(f"--json prints one JSON object, so it cannot print {arguments.to}")
    _check_language_model(arguments)
    if arguments.text is not None:
        _check_text(arguments)
    elif arguments.output:
        _check_output(arguments.output, Path(arguments.input))


def _check_language_model(arguments: argparse.Namespace) -> None:
    listed = arguments.shortlist is not None or arguments.shortlist_weight is not None
    asked = listed or arguments.explain or arguments.option
    if asked and not ModelSpec.parse(arguments.model).is_language_model:
        raise InputError(
            "--shortlist, --shortlist-weight, --explain and --option go with a language model: "
            "--model hf:..., gguf:..."
        )
    if arguments.explain and _format(arguments) in {"csv", "sarif"}:
        raise InputError(f"{_format(arguments)} has no place for --explain; write jsonl or a table")


def _open_model(arguments: argparse.Namespace) -> CweClassifier:
    from cybersecqwen.specialists import CweMapper

    if not ModelSpec.parse(arguments.model).is_language_model:
        return CweMapper.load(arguments.model)
    from cybersecqwen.llm import open_backend
    from cybersecqwen.llm.rerank import SHORTLIST, SHORTLIST_WEIGHT, LlmReranker

    size, weight = arguments.shortlist, arguments.shortlist_weight
    return LlmReranker(
        open_backend(arguments.model, **backend_options(arguments.option)),
        CweMapper.load(),
        shortlist=SHORTLIST if size is None else size,
        weight=SHORTLIST_WEIGHT if weight is None else weight,
        explain=arguments.explain,
    )


def _check_text(arguments: argparse.Namespace) -> None:
    # Arguments that are no UTF-8 arrive with their bytes as lone surrogates.
    arguments.text = os.fsencode(arguments.text).decode("utf-8", "replace")
    if not clean(arguments.text):
        raise InputError("the text is empty: give a vulnerability description")
    if arguments.output:
        raise InputError("--output goes with --input; a single text's answer is printed")


def _check_output(output: Path, source: Path) -> None:
    if output.exists() and not output.is_file():
        raise InputError(
            f"{output}: no regular file, so it cannot be replaced by one; "
            "without --output rows go to standard output"
        )
    if output.exists() and source.exists() and output.samefile(source):
        raise InputError(f"{output}: --output would overwrite --input")


def _format(arguments: argparse.Namespace) -> Format:
    """Return what to write: as told, else what the output's ending or the terminal suggests."""
    if arguments.to:
        to: Format = arguments.to
        return to
    if arguments.output:
        return _BY_ENDING.get(arguments.output.suffix.lower(), "jsonl")
    return "table" if sys.stdout.isatty() else "jsonl"


def _print_text(arguments: argparse.Namespace, row: MapRow) -> None:
    """Print the answer to one text."""
    if arguments.json:
        print_json(row)
        return
    from cybersecqwen import __version__
    from cybersecqwen.apps.outputs.writers import TableWriter, writer_for
    from cybersecqwen.core.taxonomy import shipped_taxonomy

    to = _format(arguments)
    width = shutil.get_terminal_size().columns
    if to == "table":
        sys.stdout.buffer.write(TableWriter(width).single(row).encode())
        return
    writer = writer_for(to, taxonomy=shipped_taxonomy(), version=__version__, width=width)
    sys.stdout.buffer.writelines(writer([row]))


def _map_file(
    arguments: argparse.Namespace, mapper: CweClassifier, options: MapOptions, maker: RowMaker
) -> int:
    """Map the records of a file or of standard input."""
    from cybersecqwen.apps.map_job import map_records
    from cybersecqwen.sources import read_advisories

    source = None if arguments.input == "-" else Path(arguments.input)
    problems = _Problems()
    if arguments.json:
        problems.kept = []

    def rows(done: int = 0) -> Iterator[MapRow]:
        records = read_advisories(source, format=arguments.format)
        return map_records(mapper, records, options, maker, problems.report, done=done)

    if arguments.output:
        written = _write_file(arguments, mapper, options, source, rows)
        if arguments.json:
            print_json(
                {
                    "output": str(arguments.output),
                    "rows": written,
                    "problems": problems.rows(),
                    "model": mapper.name,
                }
            )
    elif arguments.json:
        _print_object(rows(), mapper.name, problems)
    else:
        _print_rows(arguments, rows())
    return problems.exit_code


def _write_file(
    arguments: argparse.Namespace,
    mapper: CweClassifier,
    options: MapOptions,
    source: Path | None,
    rows: Callable[[int], Iterator[MapRow]],
) -> int:
    """Write the output file; return how many rows it has."""
    from cybersecqwen import __version__
    from cybersecqwen.apps.map_job import PartFile, RunIdentity, identify_input
    from cybersecqwen.apps.outputs.writers import writer_for
    from cybersecqwen.core.taxonomy import shipped_taxonomy

    to = _format(arguments)
    settings = {
        "format": arguments.format,
        "to": to,
        "labeller": options.labeller,
        "top_k": str(options.top_k),
        "threshold": str(options.threshold),
    }
    identity = RunIdentity(
        input=identify_input(source) if source else (),
        settings=settings,
        model=mapper.digest,
        version=__version__,
    )
    writer = writer_for(to, taxonomy=shipped_taxonomy(), version=__version__, width=TEXT_WIDTH)
    with closing(PartFile(arguments.output, identity, resume=arguments.resume)) as part:
        written = part.done
        try:
            written += part.write(progress(rows(part.done), "records"), mapper.window)
        except CyberSecQwenError:
            part.discard_if_empty()
            raise
        part.finish(writer)
    return written


def _print_object(rows: Iterator[MapRow], model: str, problems: _Problems) -> None:
    """Print ``{"model", "items", "problems"}``, each item as it comes."""
    import msgspec

    encode = msgspec.json.encode
    out = sys.stdout.buffer
    rows = _started(rows)
    out.write(b'{"model":' + encode(model) + b',"items":[')
    for number, row in enumerate(rows):
        out.write((b",\n" if number else b"\n") + encode(row))
    out.write(b'],"problems":' + encode(problems.rows()) + b"}\n")


def _print_rows(arguments: argparse.Namespace, rows: Iterator[MapRow]) -> None:
    """Print the rows in the format asked for."""
    from cybersecqwen import __version__
    from cybersecqwen.apps.outputs.writers import writer_for
    from cybersecqwen.core.taxonomy import shipped_taxonomy

    rows = _started(rows)
    if not sys.stdout.isatty():
        rows = progress(rows, "records")
    writer = writer_for(
        _format(arguments),
        taxonomy=shipped_taxonomy(),
        version=__version__,
        width=shutil.get_terminal_size().columns if sys.stdout.isatty() else TEXT_WIDTH,
    )
    sys.stdout.buffer.writelines(writer(rows))


def _started(rows: Iterable[MapRow]) -> Iterator[MapRow]:
    """Draw the first row now, so that an unusable input fails before anything is printed."""
    stream = iter(rows)
    for first in stream:
        return chain([first], stream)
    return stream
