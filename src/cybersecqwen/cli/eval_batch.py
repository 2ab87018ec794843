"""``eval batch``: many systems on many tasks as one job with one report."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from cybersecqwen.cli.arguments import add_actors, add_json
from cybersecqwen.cli.common import (
    EXIT_DONE,
    EXIT_SOME_FAILED,
    EXIT_UNUSABLE,
    one_line,
    print_json,
    show_progress,
    warn,
)
from cybersecqwen.cli.engine import SEVERAL, add_engine, engine_of

if TYPE_CHECKING:
    from cybersecqwen.apps.evaluation_batch import BatchJob


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the action's arguments."""
    parser.add_argument("recipe", type=Path, metavar="BATCH", help="YAML: tasks and systems")
    parser.add_argument(
        "--output", type=Path, metavar="DIR", required=True, help="for the logs and the report"
    )
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="what paths are relative to (the batch's folder)"
    )
    add_engine(parser.add_argument_group(SEVERAL))
    add_actors(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run a batch, or go on with it; 1 where something could not be answered."""
    from cybersecqwen.apps.evaluation_batch import run_batch

    def tell(job: BatchJob) -> None:
        if job.problem:
            warn(one_line(f"{job.name}: {job.problem}"))
        elif job.failed:
            warn(f"{job.name}: {job.failed:,} answers failed; run again to ask them again")

    found = run_batch(
        arguments.recipe,
        arguments.output,
        data=arguments.data,
        actors=arguments.actors,
        on_progress=show_progress(),
        on_job=tell,
        engine=engine_of(arguments),
    )
    if arguments.json:
        print_json(found)
    else:
        for job in found.jobs:
            if job.summary:
                print(f"{job.summary.accuracy:.4f} {job.summary.ci95:.4f}  {job.name}")
        for path in found.report:
            print(path)
    if not found.report:
        return EXIT_UNUSABLE
    return EXIT_DONE if all(job.is_whole for job in found.jobs) else EXIT_SOME_FAILED
