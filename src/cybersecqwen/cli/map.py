"""``map``: vulnerability text in, CWE ids with calibrated confidence out."""

from __future__ import annotations

import argparse
import sys

from cybersecqwen.cli.common import EXIT_DONE, EXIT_SOME_FAILED, print_json
from cybersecqwen.cli.map_arguments import configure
from cybersecqwen.cli.record_job import shown

HELP = "map vulnerability texts to CWE ids, offline, with calibrated confidence"
EXAMPLES = (
    'map "The login form concatenates the user name into the SQL query."',
    "map --input nvdcve-2.0-2024.json.gz --output answers.xlsx --report report.html",
    "map CVE-2021-44228",
)

__all__ = ["EXAMPLES", "HELP", "configure", "run"]


def run(arguments: argparse.Namespace) -> int:
    """Map one text, or a file of records."""
    from cybersecqwen.apps.map_job import run_map_job
    from cybersecqwen.cli.map_call import job_of

    job = job_of(arguments)
    # A text or pasted records are few, and their rows say it all.
    quiet = arguments.quiet or job.text is not None or job.stdin is not None
    with shown(job, quiet=quiet, keeps_problems=arguments.json) as screen:
        summary = run_map_job(
            job,
            sink=sys.stdout.buffer,
            progress=screen.progress,
            report=screen.report,
            notice=screen.notice,
        )
    if job.output and arguments.json:
        print_json(
            {
                "output": summary.output,
                "rows": summary.answered,
                "problems": [problem.row() for problem in screen.problems],
                "model": summary.model,
                "summary": summary,
            }
        )
    screen.show_summary(summary.describe())
    return EXIT_SOME_FAILED if summary.problems else EXIT_DONE
