"""``data``: fetch what NVD, the CVE Program and MITRE publish; make the CWE table."""

from __future__ import annotations

import argparse
from pathlib import Path

from cybersecqwen.cli.common import (
    EXIT_DONE,
    EXIT_SOME_FAILED,
    EXIT_UNUSABLE,
    print_json,
    progress,
    warn,
)
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.records import RecordProblem
from cybersecqwen.core.text.clean import clean

HELP = "fetch public vulnerability data, or remake the CWE table from MITRE's catalogue"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    fetch = actions.add_parser(
        "fetch", help="download a feed; resumes, verifies, and fetches nothing twice unchanged"
    )
    # The feeds are named here too, so that --help imports nothing.
    fetch.add_argument("feed", choices=("nvd", "cve", "cwe", "attack", "capec"))
    fetch.add_argument("--out", metavar="DIR", type=Path, required=True, help="folder to fill")
    fetch.add_argument(
        "--years", metavar="YEAR", nargs="+", default=[], help="NVD's: 2024, or 2020-2024 (all)"
    )
    fetch.add_argument("--base-url", metavar="URL", default="", help="a mirror to fetch from")
    fetch.add_argument("--json", action="store_true", help="print one JSON object")
    table = actions.add_parser("cwe-table", help="make the table of CWE facts that ships inside")
    table.add_argument(
        "catalogue", metavar="CATALOGUE", type=Path, help="cwec_*.xml, .xml.zip or MITRE's JSON"
    )
    table.add_argument("--out", metavar="FILE", type=Path, required=True, help="file to write")
    table.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked."""
    return _fetch(arguments) if arguments.action == "fetch" else _cwe_table(arguments)


def _fetch(arguments: argparse.Namespace) -> int:
    from cybersecqwen.sources.fetch import Fetched, fetch_feed, nvd_years

    if arguments.years and arguments.feed != "nvd":
        raise InputError("--years goes with nvd; the other feeds are not cut by year")
    years = nvd_years(arguments.years) if arguments.feed == "nvd" else ()
    done: list[Fetched] = []
    problems: list[RecordProblem] = []
    found = fetch_feed(arguments.feed, arguments.out, years=years, base_url=arguments.base_url)
    for item in progress(found, "files"):
        if isinstance(item, RecordProblem):
            problems.append(item)
            warn(clean(str(item)))
        else:
            done.append(item)
            if not arguments.json:
                print(f"{item.outcome:9} {item.path}")
    if arguments.json:
        files = [{"path": str(f.path), "url": f.url, "outcome": f.outcome} for f in done]
        print_json(
            {
                "feed": arguments.feed,
                "files": files,
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
