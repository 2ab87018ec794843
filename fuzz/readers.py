"""Coverage-guided fuzzing of every reader: no input may end in anything but records and refusals.

    python fuzz/readers.py [READER] [--seconds 60] [--seeds FOLDER ...] [--runs N]

Atheris (libFuzzer) steers by coverage where it is installed; without it the seeds are mutated
blindly, which finds less. What is found is written to ``fuzz/findings``; a finding belongs, made
small, into ``tests/fuzz``. Seeds are ours (``fuzz/seeds``); further folders may be named.
"""

from __future__ import annotations

import argparse
import gc
import io
import random
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from itertools import islice
from pathlib import Path
from types import FunctionType
from typing import Any

from cybersecqwen.core.errors import CyberSecQwenError

HERE = Path(__file__).parent
SEEDS = HERE / "seeds"
FINDINGS = HERE / "findings"

_MOST_RECORDS = 2000
_WATCHED = frozenset({"cybersecqwen", "csv", "cvss", "openpyxl", "tarfile", "yaml", "zipfile"})
_SLOW_SECONDS = 20.0

Reader = Callable[[bytes], None]


def advisories(data: bytes) -> None:
    """Read a file of advisories of any format, its kind to be told."""
    from cybersecqwen.sources import read_advisories
    from cybersecqwen.sources.io.unpack import UnpackLimits

    limits = UnpackLimits(inner_bytes=16 << 20, members=1000, directory_bytes=1 << 20)
    for _ in islice(read_advisories(None, stdin=io.BytesIO(data), limits=limits), _MOST_RECORDS):
        pass


def named_format(data: bytes) -> None:
    """Read a file as the format that its first byte chooses."""
    from cybersecqwen.sources import read_advisories
    from cybersecqwen.sources.detect import FORMATS

    if data:
        name = FORMATS[data[0] % len(FORMATS)]
        for _ in islice(read_advisories(None, name, stdin=io.BytesIO(data[1:])), _MOST_RECORDS):
            pass


def _file(data: bytes, name: str, read: Callable[[Path], object]) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        path = Path(folder, name)
        path.write_bytes(data)
        read(path)


def catalogue_cwe(data: bytes) -> None:
    """Read the CWE catalogue, XML or text."""
    from cybersecqwen.sources.catalogues.catalogue import read_catalogue

    _file(data, "cwe.xml", read_catalogue)


def catalogue_stix(data: bytes) -> None:
    """Read a STIX bundle."""
    from cybersecqwen.sources.catalogues.stix import read_stix

    _file(data, "stix.json", read_stix)


def recipe(data: bytes) -> None:
    """Read a YAML recipe and the service's settings."""
    from cybersecqwen.corpus.chat.recipe import load_corpus_recipe

    _file(data, "recipe.yaml", load_corpus_recipe)


def log(data: bytes) -> None:
    """Read an evaluation log."""
    from cybersecqwen.evaluation.log import read_log

    _file(data, "log.jsonl", read_log)


def specialist_config(data: bytes) -> None:
    """Read the configuration of a specialist of any kind."""
    from cybersecqwen.specialists.folder import load_files
    from cybersecqwen.specialists.model import read_config
    from cybersecqwen.specialists.severity import SeverityConfig
    from cybersecqwen.specialists.technique import TechniqueConfig

    def read(path: Path) -> None:
        _refused(lambda: read_config(path.parent))
        _refused(lambda: load_files(path.parent, "severity", SeverityConfig))
        _refused(lambda: load_files(path.parent, "technique", TechniqueConfig))

    _file(data, "config.json", read)


def settings(data: bytes) -> None:
    """Read the service's settings."""
    from cybersecqwen.serving.settings import load_settings

    _file(data, "serve.toml" if b"=" in data[:40] else "serve.yaml", lambda f: load_settings({}, f))


def benchmark(data: bytes) -> None:
    """Read the questions of a benchmark, and results that others released."""
    from cybersecqwen.sources.benchmarks import athena_bench, cti_bench, reference_results

    def read(path: Path) -> None:
        _refused(lambda: cti_bench.read_questions(path, "mcq"))
        _refused(lambda: cti_bench.read_questions(path, "rcm"))
        _refused(lambda: athena_bench.read_questions(path, "rcm"))
        _refused(lambda: cti_bench.read_saved_answers(path))
        _refused(lambda: reference_results.read_results(path))

    _file(data, "questions.tsv", read)


def monitored(data: bytes) -> None:
    """Read results, a reference, and corrections, as ``monitor`` does."""
    from cybersecqwen.release.feedback import read_corrections
    from cybersecqwen.release.results_profile import read_profile, read_results

    def read(path: Path) -> None:
        _refused(lambda: list(read_results(path)))
        _refused(lambda: read_profile(path))
        _refused(lambda: read_corrections([path]))

    _file(data, "2026-01-01.jsonl", read)


def bundle(data: bytes) -> None:
    """Read a bundle, a manifest, a signature and a certificate of whoever made them."""
    from cybersecqwen.release.verifier import Refusal, certificates, checking, manifest, oms

    def read(path: Path) -> None:
        with checking.open_bundle(path) as source:
            checking.check_bundle(source, None, allow_unsigned=True)

    trust = oms.Trust()
    steps: list[Callable[[], object]] = [
        lambda: _file(data, "bundle.zip", read),
        lambda: manifest.read_manifest(data),
        lambda: oms.read_signature(data, trust),
        lambda: certificates.certificate(data),
        lambda: certificates.public_key(data),
    ]
    for step in steps:
        with suppress(Refusal):
            step()


def question(data: bytes) -> None:
    """Answer a question from the knowledge base, and read a model's answer to one."""
    from cybersecqwen.core import answer_parsing

    text = data.decode("utf-8", "replace")[:4000]
    for parser in vars(answer_parsing).values():
        if isinstance(parser, answer_parsing.AnswerParser):
            parser.read(text)
    _refused(lambda: _knowledge_base().answer(text))


@cache
def _knowledge_base() -> Any:
    from cybersecqwen.knowledge.base import KnowledgeBase

    return KnowledgeBase.load()


def _refused(read: Callable[[], object]) -> None:
    """Read, whether it is refused or not: the next reader is tried too."""
    with suppress(CyberSecQwenError):
        read()


READERS: dict[str, Reader] = {
    reader.__name__: reader
    for reader in (
        *(advisories, named_format, catalogue_cwe, catalogue_stix, recipe, log),
        *(specialist_config, settings, benchmark, monitored, bundle, question),
    )
}


class FindingError(Exception):
    """An input that ends in something else than records or a refusal."""


def check(reader: Reader, data: bytes) -> None:
    """Give an input to a reader.

    Raises:
        FindingError: The reader fails otherwise than by a refusal, or takes very long.
    """
    start = time.monotonic()
    try:
        reader(data)
    except CyberSecQwenError as error:
        if "\n" in str(error) and len(str(error)) > 100_000:
            raise FindingError("an endless message") from error
    except Exception as error:
        raise FindingError(f"{type(error).__name__}: {error}") from error
    if time.monotonic() - start > _SLOW_SECONDS:
        raise FindingError(f"took {time.monotonic() - start:.1f} s for {len(data):,} bytes")


def seeds(folders: list[Path], largest: int = 64 << 10) -> list[bytes]:
    """Return the content of the small files in some folders."""
    files = sorted(f for folder in folders for f in folder.rglob("*") if f.is_file())
    return [f.read_bytes()[:largest] for f in files] or [b""]


def mutated(chance: random.Random, corpus: list[bytes]) -> bytes:
    """Return a seed with some of it cut out, doubled, swapped or replaced."""
    data = bytearray(chance.choice(corpus))
    for _ in range(chance.randint(1, 8)):
        at = chance.randint(0, len(data))
        to = min(len(data), at + chance.choice([1, 1, 2, 4, 16, 200]))
        match chance.randrange(7):
            case 0:
                del data[at:to]
            case 1:
                data[at:at] = data[at:to] * chance.choice([1, 2, 50])
            case 2:
                data[at:to] = chance.randbytes(to - at)
            case 3:
                data[at:at] = chance.choice(_TOKENS)
            case 4:
                other = chance.choice(corpus)
                start = chance.randint(0, len(other))
                data[at:to] = other[start : start + chance.choice([4, 64, 1000])]
            case 5:
                data[at:to] = chance.choice(_TOKENS)
            case _:
                del data[at:]
    return bytes(data)


_TOKENS = [
    *(b"{", b"}", b"[", b"]", b'"', b",", b":", b"\\", b"\n", b"\r\n", b"\x00", b"null", b"NaN"),
    *(b"1e999", b"-0", b"9" * 400, b"\\ud800", b"\xed\xa0\x80", b"\xff\xfe", b"\xef\xbb\xbf"),
    *(b"\x1f\x8b\x08", b"PK\x03\x04", b"PK\x05\x06", b"<!DOCTYPE a [<!ENTITY b 'c'>]>", b"&b;"),
    *(b"!!python/object:os.system", b"*a", b"&a", b"[" * 2000, b'{"a":' * 2000, b"\x1b]0;a\x07"),
    *(b"2020-13-45", b"=", b"=cmd()", b"\t", b"sep=;\n", "ÿ".encode("utf-16"), b"description"),
]


def _blindly(reader: Reader, corpus: list[bytes], seconds: float, runs: int, first: int) -> int:
    end = time.monotonic() + seconds
    done = 0
    for number in range(first, first + runs):
        if time.monotonic() > end:
            break
        data = mutated(random.Random(number), corpus)
        done += 1
        try:
            check(reader, data)
        except FindingError:
            _keep(reader, data)
    return done


def _keep(reader: Reader, data: bytes) -> None:
    FINDINGS.mkdir(exist_ok=True)
    path = FINDINGS / f"{reader.__name__}-{abs(hash(data)):x}"
    path.write_bytes(data)
    print(f"FINDING {path}\n{traceback.format_exc()}", file=sys.stderr)


def _guided(reader: Reader, folders: list[Path], seconds: float, runs: int) -> None:
    import atheris

    for data in seeds(folders):  # so that all is imported that is to be watched
        with suppress(FindingError):
            check(reader, data)
    # Of all that is imported the parsers alone: instrumenting SciPy takes minutes.
    for function in [found for found in gc.get_objects() if isinstance(found, FunctionType)]:
        if function.__module__ and function.__module__.partition(".")[0] in _WATCHED:
            atheris.instrument_func(function)
    with tempfile.TemporaryDirectory() as grown:
        options = [
            f"-max_total_time={int(seconds)}",
            f"-runs={runs}",
            "-max_len=65536",
            "-rss_limit_mb=2048",
            f"-artifact_prefix={FINDINGS}/{reader.__name__}-",
            grown,
            *(str(folder) for folder in folders),
        ]
        FINDINGS.mkdir(exist_ok=True)
        atheris.Setup([sys.argv[0], *options], lambda data: check(reader, data))
        atheris.Fuzz()


def _named(names: list[str]) -> Iterator[Reader]:
    for name in names or READERS:
        if name not in READERS:
            raise SystemExit(f"no reader {name}; there is {', '.join(READERS)}")
        yield READERS[name]


def main() -> int:
    """Fuzz; 1 if there is a finding."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("readers", nargs="*")
    parser.add_argument("--seconds", type=float, default=60, help="for each reader")
    parser.add_argument("--runs", type=int, default=10**9, help="for each reader")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seeds", type=Path, nargs="*", default=[])
    parser.add_argument("--blind", action="store_true", help="mutate without coverage")
    parser.add_argument("--list", action="store_true", help="print the readers' names")
    arguments = parser.parse_args()
    if arguments.list:
        print(*READERS)
        return 0
    folders = [SEEDS, *arguments.seeds]
    readers = list(_named(arguments.readers))
    if not arguments.blind and len(readers) != 1:
        parser.error("coverage guides one reader at a time: name it, or give --blind")
    if not arguments.blind:
        _guided(readers[0], folders, arguments.seconds, arguments.runs)
        return 0
    total = 0
    corpus = seeds(folders)
    before = set(FINDINGS.glob("*"))
    for reader in readers:
        done = _blindly(reader, corpus, arguments.seconds, arguments.runs, arguments.first)
        total += done
        print(f"{reader.__name__}: {done:,} inputs", flush=True)
    found = set(FINDINGS.glob("*")) - before
    print(f"{total:,} inputs, {len(found)} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
