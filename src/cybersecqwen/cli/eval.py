"""``eval``: run a benchmark, score its log, compare systems, import others' results, report."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cybersecqwen.cli import eval_batch, eval_mix
from cybersecqwen.cli.common import (
    EXIT_DONE,
    EXIT_SOME_FAILED,
    backend_options,
    pairs_of,
    print_json,
    show_progress,
    warn,
)
from cybersecqwen.cli.engine import engine_of
from cybersecqwen.cli.eval_arguments import configure
from cybersecqwen.cli.places import staged
from cybersecqwen.core.errors import InputError

if TYPE_CHECKING:
    from cybersecqwen.evaluation.plan import BaselineResult
    from cybersecqwen.evaluation.report.summary import Summary

HELP = "evaluate any system under the field's protocols, and compare two item by item"
EXAMPLES = (
    "eval run cti-rcm --data cti-rcm.tsv --output ours.jsonl",
    "eval compare ours.jsonl theirs.jsonl",
    "eval report ours.jsonl theirs.jsonl --output report",
)

__all__ = ["EXAMPLES", "HELP", "configure", "run"]

_ERRORS_SHOWN = 10
_CLASSES_SHOWN = 12


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked; 1 where some items could not be answered."""
    actions = {
        "run": _run,
        "batch": eval_batch.run,
        "score": _score,
        "compare": _compare,
        "divergence": _divergence,
        "import": _import,
        "mix": eval_mix.run,
        "report": _report,
    }
    try:
        return actions[arguments.action](arguments)
    except BrokenPipeError:
        raise
    except OSError as error:  # a folder that cannot be written, a disk that is full
        raise InputError(str(error)) from error


def _run(arguments: argparse.Namespace) -> int:
    with staged(arguments, ("data",), ("output",), continued=True):
        return _run_here(arguments)


def _run_here(arguments: argparse.Namespace) -> int:
    from cybersecqwen.apps.evaluation import run_evaluation
    from cybersecqwen.evaluation.plan import RunOptions

    options = RunOptions(
        task=arguments.task,
        data=arguments.data,
        model=arguments.model,
        protocol=arguments.protocol,
        knowledge=arguments.kb,
        train=arguments.train,
        trials=arguments.trials,
        limit=arguments.limit,
        max_tokens=arguments.max_tokens,
        seed=arguments.seed,
        labeller=arguments.labeller,
        base_model=arguments.base,
        gold=arguments.gold,
        since=arguments.since,
        without_near_duplicates=arguments.without_near_duplicates,
        shortlist=arguments.shortlist,
        shortlist_weight=arguments.shortlist_weight,
        backend=backend_options(arguments.option),
        choice=None
        if arguments.reading is None
        else backend_options(arguments.reading, "--reading"),
    )
    found = run_evaluation(
        options,
        arguments.output,
        actors=arguments.actors,
        on_progress=show_progress(),
        engine=engine_of(arguments),
    )
    failed = found.failed
    for row in failed[:_ERRORS_SHOWN]:
        warn(f"{arguments.output}: {row.id}, trial {row.trial}: {row.error}")
    if len(failed) > _ERRORS_SHOWN:
        warn(f"... and {len(failed) - _ERRORS_SHOWN} more; run again to ask these items again")
    if arguments.json:
        extra = {"log": str(found.log), "baselines": found.baselines}
        print_json(_as_json(found.summary) | extra)
    else:
        _print_summary(found.summary)
        _print_classes(found.summary)
        _print_baselines(found.baselines)
    return EXIT_SOME_FAILED if failed else EXIT_DONE


def _score(arguments: argparse.Namespace) -> int:
    from cybersecqwen.apps.evaluation import score_log

    found = score_log(arguments.log, actors=arguments.actors)
    summaries = found.summaries
    if found.torn or found.missing:
        torn = "; its last line is unfinished" if found.torn else ""
        warn(f"{found.log}: {found.missing} answers are missing{torn}; run again to go on with it")
    if arguments.json:
        readers = {summary.reader: _as_json(summary) for summary in summaries}
        print_json(_as_json(summaries[0]) | {"log": str(arguments.log), "readers": readers})
    else:
        _print_summary(summaries[0])
        if len(summaries) > 1:
            print("\nThe same text by every reader:")
            for summary in summaries:
                print(
                    f"  {summary.reader:12} {summary.accuracy:.4f} "
                    f"{summary.ci95:.4f}  n {summary.n:,}  "
                    f"unreadable {summary.parse_failures:,}"
                )
    return EXIT_SOME_FAILED if found.missing else EXIT_DONE


def _divergence(arguments: argparse.Namespace) -> int:
    from cybersecqwen.apps.evaluation import measure_model_divergence

    found = measure_model_divergence(
        arguments.base,
        arguments.model,
        limit=arguments.limit,
        options=backend_options(arguments.option),
    )
    if arguments.json:
        print_json(found)
    else:
        print(
            f"{arguments.base}'s own answers to {found.prompts} neutral prompts lose "
            f"{found.nats_per_token:.3f} nats a token by fine-tuning; most: {found.worst}"
        )
    return EXIT_DONE


def _compare(arguments: argparse.Namespace) -> int:
    from cybersecqwen.apps.evaluation import compare

    comparison = compare(arguments.logs, actors=arguments.actors, first_only=arguments.first)
    if arguments.json:
        print_json(comparison)
        return EXIT_DONE
    print(f"{comparison.task}: {comparison.n:,} items that every system answered\n")
    for system in comparison.systems:
        print(f"  {system.accuracy:.4f} {system.ci95:.4f}  {system.model} ({system.protocol})")
    print("\n  difference  95 % interval       only A  only B  McNemar p  Holm p")
    for pair in comparison.pairs:
        test = pair.test
        corrected = "" if test.p_holm is None else f"{test.p_holm:.2g}"
        print(
            f"  {test.difference:+.4f}     {test.ci95:+.4f}  "
            f"{test.only_a:6}  {test.only_b:6}  {test.p_mcnemar:9.2g}  {corrected:6}  "
            f"{pair.a} - {pair.b}"
        )
    return EXIT_DONE


def _import(arguments: argparse.Namespace) -> int:
    from cybersecqwen.apps.evaluation import import_answers

    pairs = pairs_of("--questions", arguments.questions)
    found = import_answers(
        arguments.file,
        arguments.origin,
        arguments.output,
        questions={name: Path(file) for name, file in pairs},
        gold=arguments.gold,
        task=arguments.task,
        model=arguments.name,
    )
    if arguments.json:
        import msgspec

        tasks: dict[str, Any] = {}
        for counts in found:
            entry = msgspec.to_builtins(counts)
            # With one model a task's counts stand right under its name; with several, by model.
            models = tasks.setdefault(counts.task, {"models": {}})["models"]
            models[counts.model] = entry
        for entry in tasks.values():
            if len(entry["models"]) == 1:
                entry.update(next(iter(entry["models"].values())))
        print_json({"file": str(arguments.file), "from": arguments.origin, "tasks": tasks})
        return EXIT_DONE
    for counts in found:
        print(
            f"{counts.task:12} {counts.model:24} n {counts.n:5,}  right: released "
            f"{counts.released_correct:,}, ours {counts.correct:,} ({counts.accuracy:.4f})  "
            f"read differently {counts.changed} ({counts.changed_uncut} of whole texts; "
            f"{counts.cut} cut)  {counts.log}"
        )
    return EXIT_DONE


def _report(arguments: argparse.Namespace) -> int:
    from cybersecqwen.apps.evaluation import write_report

    written = write_report(
        arguments.logs, arguments.output, arguments.title, actors=arguments.actors
    )
    if arguments.json:
        print_json({"files": [str(path) for path in written]})
    else:
        for path in written:
            print(path)
    return EXIT_DONE


def _as_json(summary: Summary) -> dict[str, Any]:
    import msgspec

    fields: dict[str, Any] = msgspec.to_builtins(summary)
    return fields


def _print_summary(summary: Summary) -> None:
    book = "open book" if summary.open_book else "closed book"
    print(f"{summary.task}  {summary.model}  protocol {summary.protocol}, {book}")
    print(
        f"  accuracy {summary.accuracy:.4f}  95 % {summary.ci95:.4f}  {summary.n:,} items, "
        f"{summary.trials} trial(s)"
    )
    if summary.trials > 1:
        print(
            f"  spread over trials {summary.spread.trial_sd:.4f}, over items (standard error) "
            f"{summary.spread.item_se:.4f}; {summary.spread.unstable:.1%} of items unstable"
        )
    print(f"  unreadable {summary.parse_failures:,} ({summary.parse_failure_rate:.1%})")
    if (always := summary.one_letter) is not None:
        print(
            f"  warning: {always.letter} makes {always.count:,} of {always.answers:,} answers "
            f"({always.share:.1%}; right for {always.expected:.1%}): it hardly chooses"
        )
    named = {
        "top-5": summary.top5,
        "calibration error": summary.ece,
        "Brier": summary.brier,
        "accuracy at 70 % coverage": summary.accuracy_at_70_coverage,
        "base score deviation": summary.mad,
        "micro F1": summary.micro_f1,
        "macro F1": summary.macro_f1,
        "plausible": summary.plausible,
        "discouraged or prohibited": summary.discouraged_share,
        "F1 over classes": summary.per_class_f1,
        "exact, parent or child": summary.hierarchy.within_one if summary.hierarchy else None,
    }
    for name, value in named.items():
        if value is not None:
            print(f"  {name} {value:.4f}")
    for source, part in summary.by_source.items():
        print(f"  from {source:8} {part.accuracy:.4f}  {part.ci95:.4f}  {part.n:,} items")
    found = summary.abstention
    if found is not None and found.accuracy_answered is not None:
        print(
            f"  at its own threshold it answers {found.coverage:.1%} with accuracy "
            f"{found.accuracy_answered:.4f}"
        )


def _print_classes(summary: Summary) -> None:
    if not summary.per_class:
        return
    print(f"\nThe commonest of {len(summary.per_class)} expected ids:")
    print("      n  recall  precision  id")
    for entry in summary.per_class[:_CLASSES_SHOWN]:
        precision = "    -" if entry.precision is None else f"{entry.precision:.3f}"
        print(f"  {entry.n:5,}  {entry.recall:6.3f}  {precision:>9}  {entry.id} {entry.name}")


def _print_baselines(baselines: list[BaselineResult]) -> None:
    print("\nBaselines on the same questions:")
    for result in baselines:
        if result.accuracy is None or result.ci95 is None:
            print(f"  {result.name}: give {result.needs}")
        else:
            book = " (open book)" if result.open_book else ""
            print(f"  {result.accuracy:.4f} {result.ci95:.4f}  {result.system}{book}")
