"""``kb``: build a knowledge base from MITRE's files, search it, say what is in it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from cybersecqwen.cli.common import (
    EXIT_DONE,
    EXIT_SOME_FAILED,
    print_json,
    printable,
    warn,
)

if TYPE_CHECKING:
    from cybersecqwen.core.records import Catalogue
    from cybersecqwen.knowledge.base import KnowledgeBase
    from cybersecqwen.knowledge.index_manifest import IndexManifest

HELP = "build, search and describe an offline knowledge base of CWE, CAPEC and ATT&CK"
EXAMPLES = (
    'kb search "password spraying lockout" --limit 5',
    "kb info",
    "kb build",
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    build = actions.add_parser("build", help="make a knowledge base from MITRE's files")
    build.add_argument("--cwe", type=Path, metavar="FILE", help="CWE catalogue: JSON or XML")
    build.add_argument(
        "--attack",
        type=Path,
        metavar="FILE",
        nargs="+",
        action="extend",
        default=[],
        help="ATT&CK STIX bundles: enterprise, mobile, ICS",
    )
    build.add_argument("--capec", type=Path, metavar="FILE", help="CAPEC STIX bundle")
    build.add_argument("--out", type=Path, metavar="DIR", help="folder to make (your own)")
    build.set_defaults(act=_build)
    search = actions.add_parser("search", help="find passages by words, ids and names")
    search.add_argument("query", metavar="QUERY", help="words, a name or an id")
    search.add_argument("--limit", type=int, default=8, metavar="N", help="passages at most (8)")
    search.set_defaults(act=_search)
    info = actions.add_parser("info", help="say what a knowledge base holds and how old it is")
    info.set_defaults(act=_info)
    recall = actions.add_parser("recall", help="measure how often a search finds the right page")
    recall.add_argument(
        "--questions",
        type=Path,
        metavar="FILE",
        help="CTI-Bench's multiple-choice file (questions made from the knowledge base)",
    )
    recall.add_argument(
        "--with-choices", action="store_true", help="search by the options too, where there are any"
    )
    recall.set_defaults(act=_recall)
    check = actions.add_parser("check", help="ask questions of its own, check citations, refusals")
    check.set_defaults(act=_check)
    check.add_argument(
        "--bank",
        choices=("first", "last", "all"),
        help="ask the shipped bank of questions instead, or a half of it",
    )
    for action in (recall, check):
        action.add_argument("--count", type=int, default=200, metavar="N", help="questions (200)")
        action.add_argument("--seed", type=int, default=1, metavar="N", help="of the choice (1)")
    for action in (search, info, recall, check):
        action.add_argument(
            "--kb", type=Path, metavar="DIR", help="knowledge base (the user's own)"
        )
    for action in (build, search, info, recall, check):
        action.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Run the chosen action."""
    code: int = arguments.act(arguments)
    return code


def open_knowledge(folder: Path | None) -> KnowledgeBase:
    """Open a knowledge base, by default the user's own.

    Raises:
        InputError: There is none; the message says how to build one.
    """
    from cybersecqwen.knowledge.base import KnowledgeBase
    from cybersecqwen.knowledge.location import existing_folder

    return KnowledgeBase(existing_folder(folder))


def _build(arguments: argparse.Namespace) -> int:
    from cybersecqwen.core.errors import InputError
    from cybersecqwen.core.paths import feeds_folder, knowledge_folder
    from cybersecqwen.knowledge.index import build

    catalogues = _read(arguments)
    if not catalogues:
        raise InputError(
            f"{feeds_folder()}: no catalogue there; fetch them with 'cybersecqwen data fetch cwe "
            "attack capec', or name files with --cwe, --attack and --capec"
        )
    problems = [problem for catalogue in catalogues for problem in catalogue.problems]
    for problem in problems:
        warn(f"cybersecqwen: {problem}")
    out = arguments.out or knowledge_folder()
    manifest = build(catalogues, out)
    if arguments.json:
        print_json(_summary(manifest) | {"out": str(out), "failed": len(problems)})
    else:
        print(f"{out}: {manifest.passages:,} passages of {manifest.entries:,} entries")
    return EXIT_SOME_FAILED if problems else EXIT_DONE


def _read(arguments: argparse.Namespace) -> list[Catalogue]:
    from cybersecqwen.core.errors import InputError
    from cybersecqwen.sources.catalogues.catalogue import newest_releases
    from cybersecqwen.sources.catalogues.cwe_text import read_cwe_text
    from cybersecqwen.sources.catalogues.stix import read_stix

    if not (arguments.cwe or arguments.attack or arguments.capec):
        _take_fetched(arguments)
    catalogues = []
    for option, paths in (("--attack", arguments.attack), ("--capec", [arguments.capec])):
        for path in filter(None, paths):
            catalogue = read_stix(path)
            if (catalogue.name == "capec") != (option == "--capec"):
                raise InputError(f"{path}: holds {catalogue.name}, which {option} does not take")
            catalogues.append(catalogue)
    if arguments.cwe:
        catalogues.append(read_cwe_text(arguments.cwe))
    newest, older = newest_releases(catalogues)
    for catalogue in older:
        warn(
            f"cybersecqwen: two releases of {catalogue.name}: version {catalogue.version} of "
            f"{catalogue.date} is left out for the newer one"
        )
    return newest


def _take_fetched(arguments: argparse.Namespace) -> None:
    """Take the catalogues that ``data fetch`` has brought to the user's own folder."""
    from cybersecqwen.core.paths import feeds_folder

    folder = feeds_folder()
    arguments.cwe = next(folder.glob("cwec_*.xml*"), None)
    arguments.attack = sorted(folder.glob("*-attack.json"))
    arguments.capec = next(folder.glob("stix-capec.json"), None)


def _search(arguments: argparse.Namespace) -> int:
    from cybersecqwen.core.errors import InputError

    if arguments.limit < 1:
        raise InputError("--limit must be at least 1")
    found = open_knowledge(arguments.kb).search(arguments.query, arguments.limit)
    if arguments.json:
        rows = [
            {"id": p.id, "title": p.title, "kind": p.kind, "score": round(score, 4), "text": p.text}
            for p, score in found
        ]
        print_json({"query": arguments.query, "passages": rows})
        return EXIT_DONE
    if not found:
        print("not in the knowledge base")
    for passage, score in found:
        print(printable(f"{score:7.2f}  {passage.id}  {passage.title}  [{passage.kind}]"))
        print(f"         {printable(passage.text)}")
    return EXIT_DONE


def _info(arguments: argparse.Namespace) -> int:
    from cybersecqwen.knowledge.index_manifest import read_manifest
    from cybersecqwen.knowledge.location import existing_folder, shipped_folder

    folder = existing_folder(arguments.kb)
    manifest = read_manifest(folder)
    whose = "shipped with this package" if folder == shipped_folder() else "your own"
    ages = {source.name: _age(source.date) for source in manifest.sources}
    if arguments.json:
        path = {"path": str(folder), "shipped": folder == shipped_folder()}
        print_json(_summary(manifest) | {"age_days": ages} | path)
        return EXIT_DONE
    print(f"{folder} ({whose})")
    print(f"{manifest.passages:,} passages of {manifest.entries:,} entries")
    for source in manifest.sources:
        age = ages[source.name]
        old = "" if age is None else f" ({age:,} days old)"
        print(
            f"{source.name:18} version {source.version}, newest entry {source.date}{old}, "
            f"{source.entries:,} entries, sha256 {source.sha256[:16]}"
        )
    for kind, count in sorted(manifest.kinds.items(), key=lambda item: -item[1]):
        print(f"  {count:7,} {kind}")
    return EXIT_DONE


def _recall(arguments: argparse.Namespace) -> int:
    from cybersecqwen.evaluation.retrieval import DEPTHS, Sought, page_at, page_recall
    from cybersecqwen.evaluation.synthetic_questions import reworded
    from cybersecqwen.evaluation.tasks import LoadOptions, find_task

    knowledge = open_knowledge(arguments.kb)
    if arguments.questions:
        loaded = find_task("cti-mcq").load(arguments.questions, LoadOptions())
        asked = [
            Sought(q.text, page_at(q.source), q.choices if arguments.with_choices else ())
            for q in loaded
        ]
    else:
        made = reworded(knowledge, arguments.count, arguments.seed)
        asked = [Sought(question.text, question.page) for question in made]
    found = page_recall(knowledge, asked)
    if arguments.json:
        print_json(found)
        return EXIT_DONE
    print(f"{'':12} questions" + "".join(f"  at {depth:2}" for depth in DEPTHS))
    for group, recall in found.groups.items():
        shares = "".join(f"  {recall.at[depth]:.3f}" for depth in DEPTHS)
        print(f"{group:12} {recall.n:9,}{shares}")
    print(f"{found.left_out:,} from no page held; {1000 * found.seconds:.1f} ms of processor each")
    return EXIT_DONE


def _check(arguments: argparse.Namespace) -> int:
    from cybersecqwen.core.errors import InputError
    from cybersecqwen.evaluation.retrieval import check_answers
    from cybersecqwen.evaluation.synthetic_questions import plain, reworded, unanswerable

    if arguments.bank:
        return _check_bank(arguments)
    if arguments.count < 4:
        raise InputError("--count must be at least 4")
    knowledge = open_knowledge(arguments.kb)
    half = arguments.count // 2
    answerable = [
        *plain(knowledge, arguments.count - half, arguments.seed),
        *reworded(knowledge, half, arguments.seed),
    ]
    beyond = unanswerable(knowledge, arguments.count, arguments.seed)
    found = check_answers(knowledge, knowledge.answer, answerable, beyond)
    if arguments.json:
        print_json(found)
        return EXIT_DONE
    for text in found.wrongly_refused:
        print(printable(f"refused    {text}"))
    for text in found.wrongly_answered:
        print(printable(f"answered   {text}"))
    print(
        f"answerable: {found.answered:.3f} answered, {found.right_page:.3f} citing the page asked "
        f"for, {found.right_part:.3f} quoting the part asked for\n"
        f"quotations: {found.held:.4f} of {found.sentences:,} stand in the passage they cite\n"
        f"not answerable: {found.refused:.3f} refused"
    )
    return EXIT_DONE


def _check_bank(arguments: argparse.Namespace) -> int:
    from cybersecqwen.apps.ask import open_answerer
    from cybersecqwen.core.chat import Message
    from cybersecqwen.evaluation.answer_bank import measure, read_bank

    answerer = open_answerer(arguments.kb)
    score = measure(
        lambda question, before: answerer.ask(question, [Message("user", b) for b in before]),
        read_bank(half=arguments.bank),
    )
    if arguments.json:
        print_json(score)
        return EXIT_DONE
    if arguments.bank != "last":  # the last half is for measuring, not for looking at
        for text in score.missed:
            print(printable(text))
    print(
        f"{score.answerable} answerable: {score.well:.3f} right and cited, {score.clumsy:.3f} "
        f"clumsily, {score.wrong:.3f} wrong, {score.refused:.3f} refused\n"
        f"{score.unanswerable} not answerable: {score.rightly_refused:.3f} refused"
    )
    return EXIT_DONE


def _age(date: str) -> int | None:
    """Return how many days ago a date was, or None where it is none."""
    import datetime

    try:
        then = datetime.date.fromisoformat(date)
    except ValueError:
        return None
    return (datetime.datetime.now(datetime.UTC).date() - then).days


def _summary(manifest: IndexManifest) -> dict[str, object]:
    return {
        "sources": manifest.sources,
        "entries": manifest.entries,
        "passages": manifest.passages,
        "kinds": manifest.kinds,
    }
