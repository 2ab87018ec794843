"""``data``: fetch what NVD, the CVE Program and MITRE publish; make the CWE table."""

from __future__ import annotations

import argparse
import sys
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from cybersecqwen.cli.common import (
    EXIT_DONE,
    EXIT_SOME_FAILED,
    EXIT_UNUSABLE,
    print_json,
    printable,
    progress,
    warn,
)
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.text.clean import clean

if TYPE_CHECKING:
    from cybersecqwen.sources.store_info import StoreInfo

HELP = "fetch public vulnerability data, fill the local store, remake the table of CWE facts"
EXAMPLES = (
    "data fetch nvd --years 2024",
    "data fetch cwe attack capec",
    "data import nvdcve-2.0-2024.json.gz",
)

# Named here too, so that --help imports nothing.
FEEDS = ("nvd", "cve", "cwe", "attack", "capec")

PROGRESS_STEP = 1000
"""Records between two words on how far an import is."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    fetch = actions.add_parser(
        "fetch", help="download a feed; resumes, verifies, and fetches nothing twice unchanged"
    )
    fetch.add_argument(
        "feeds",
        metavar="FEED",
        choices=(*FEEDS, "all"),
        nargs="+",
        help=f"{', '.join(FEEDS)}, or all of them",
    )
    fetch.add_argument(
        "--out", metavar="DIR", type=Path, help="folder to fill (your own, where kb build looks)"
    )
    fetch.add_argument(
        "--years",
        metavar="YEAR",
        nargs="+",
        action="extend",
        default=[],
        help="NVD's: 2024, or 2020-2024 (all)",
    )
    fetch.add_argument("--base-url", metavar="URL", default="", help="a mirror to fetch from")
    fetch.add_argument("--json", action="store_true", help="print one JSON object")
    take_in = actions.add_parser(
        "import", help="take files of advisories, of any format that is read, into the local store"
    )
    take_in.add_argument("files", metavar="FILE", type=Path, nargs="+", help="files or folders")
    take_in.add_argument("--format", metavar="NAME", default="auto", help="as for map (auto)")
    take_in.add_argument(
        "--labels-from",
        choices=("nvd", "cna", "adp", "other"),
        default="other",
        help="who assigned the labels of rows that do not say so (other)",
    )
    info = actions.add_parser("info", help="what the local store holds, and how old it is")
    for action in (fetch, take_in, info):
        action.add_argument("--store", metavar="FILE", type=Path, help="the local store's file")
    for action in (take_in, info):
        action.add_argument("--json", action="store_true", help="print one JSON object")
    table = actions.add_parser("cwe-table", help="make the table of CWE facts that ships inside")
    table.add_argument(
        "catalogue", metavar="CATALOGUE", type=Path, help="cwec_*.xml, .xml.zip or MITRE's JSON"
    )
    table.add_argument("--out", metavar="FILE", type=Path, required=True, help="file to write")
    table.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked."""
    actions = {"fetch": _fetch, "import": _import, "info": _info, "cwe-table": _cwe_table}
    return actions[arguments.action](arguments)


def _import(arguments: argparse.Namespace) -> int:
    from cybersecqwen.apps.store import import_files

    last = 0

    def told(count: int) -> None:
        nonlocal last
        if sys.stderr.isatty() and count - last >= PROGRESS_STEP:
            last = count
            sys.stderr.write(f"\r{count:,} records")
            sys.stderr.flush()

    summary = import_files(
        arguments.files,
        store=arguments.store,
        format=arguments.format,
        labels_from=arguments.labels_from,
        progress=told,
    )
    if last:
        sys.stderr.write("\r\x1b[K")
    for problem in summary.problems:
        warn(printable(str(problem)))
    if arguments.json:
        print_json(
            {
                "records": summary.records,
                "unnamed": summary.unnamed,
                "failed": summary.failed,
                "files": summary.files,
                "unchanged": summary.unchanged,
                "problems": [problem.row() for problem in summary.problems],
                "store": _store_row(summary.store),
            }
        )
    else:
        more = f", {summary.failed:,} could not be read" if summary.failed else ""
        if summary.unnamed:
            more = f", {summary.unnamed:,} without an id left out{more}"
        same = f", {summary.unchanged:,} files unchanged" if summary.unchanged else ""
        print(f"{summary.records:,} records taken in{same}{more}")
        print(_store_line(summary.store))
    return EXIT_SOME_FAILED if summary.failed else EXIT_DONE


def _info(arguments: argparse.Namespace) -> int:
    from cybersecqwen.core.paths import advisory_store_file
    from cybersecqwen.sources.advisory_store import AdvisoryStore

    store = AdvisoryStore(arguments.store or advisory_store_file())
    found = store.info()
    store.close()
    if arguments.json:
        print_json(_store_row(found))
    else:
        print(_store_line(found))
    return EXIT_DONE


def _store_row(found: StoreInfo) -> dict[str, object]:
    return {
        "path": str(found.path),
        "records": found.records,
        "states": found.states,
        "newest": found.newest,
        "imported": found.imported,
        "bytes": found.size,
    }


def _store_line(found: StoreInfo) -> str:
    states = ", ".join(f"{count:,} {state}" for state, count in sorted(found.states.items()))
    states = f" ({states})" if states else ""
    return f"{found.path}: {found.records:,} ids{states}; {found.age}"


def _is_advisories(path: Path) -> bool:
    """Whether a fetched file goes into the store: NVD's feeds and the CVE List do."""
    return path.name.startswith("nvdcve-") or "_CVEs" in path.name


def _fetch(arguments: argparse.Namespace) -> int:
    from cybersecqwen.core.paths import feeds_folder
    from cybersecqwen.core.records import RecordProblem
    from cybersecqwen.sources.fetch import Fetched, fetch_feed, nvd_years

    feeds = FEEDS if "all" in arguments.feeds else tuple(dict.fromkeys(arguments.feeds))
    if arguments.years and "nvd" not in feeds:
        raise InputError("--years goes with nvd; the other feeds are not cut by year")
    if arguments.base_url and len(feeds) > 1:
        raise InputError("--base-url is one feed's mirror: fetch the feeds one by one")
    years = nvd_years(arguments.years) if "nvd" in feeds else ()
    out = arguments.out or feeds_folder()
    done: list[Fetched] = []
    problems: list[RecordProblem] = []
    found = chain.from_iterable(
        fetch_feed(feed, out, years=years, base_url=arguments.base_url) for feed in feeds
    )
    for item in progress(found, "files"):
        if isinstance(item, RecordProblem):
            problems.append(item)
            warn(clean(str(item)))
        else:
            done.append(item)
            if not arguments.json:
                print(f"{item.outcome:9} {item.path}")
    store = None
    if taken := [item.path for item in done if _is_advisories(item.path)]:
        from cybersecqwen.apps.store import import_files

        store = import_files(taken, store=arguments.store).store
        if not arguments.json:
            print(_store_line(store))
    if arguments.json:
        files = [{"path": str(f.path), "url": f.url, "outcome": f.outcome} for f in done]
        print_json(
            {
                "feed": " ".join(feeds),
                "files": files,
                "store": _store_row(store) if store else None,
                "problems": [problem.row() for problem in problems],
            }
        )
    if problems:
        return EXIT_SOME_FAILED if done else EXIT_UNUSABLE
    return EXIT_DONE


def _cwe_table(arguments: argparse.Namespace) -> int:
    from cybersecqwen.sources.catalogues.cwe import read_cwe, write_cwe_table

    table = read_cwe(arguments.catalogue)
    write_cwe_table(table, arguments.out)
    facts = {"version": table.version, "date": table.date, "entries": len(table.entries)}
    if arguments.json:
        print_json({"output": str(arguments.out), **facts})
    else:
        print(f"CWE {table.version} of {table.date}: {len(table.entries):,} entries")
    return EXIT_DONE
