"""Writes evaluation logs up as one self-contained HTML page and one Markdown file."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from cybersecqwen import __version__
from cybersecqwen.core import calibration
from cybersecqwen.core.files import write_text
from cybersecqwen.core.html_page import page_templates, policy_hash, script_json
from cybersecqwen.core.text.markdown import markdown_table
from cybersecqwen.evaluation.actors import ActorTable, load_actors
from cybersecqwen.evaluation.compare import compare_logs, unique_names
from cybersecqwen.evaluation.log import RunLog
from cybersecqwen.evaluation.report.charts import (
    HEIGHT,
    WIDTH,
    Axis,
    ChartLine,
    LineChart,
    line_chart,
)
from cybersecqwen.evaluation.report.sections import ReportSection, intervals_of, tables_of
from cybersecqwen.evaluation.report.summary import summarise
from cybersecqwen.evaluation.scoring import score
from cybersecqwen.evaluation.tasks import find_task

_SHOWN_CHARACTERS = 4000


def write_report(
    logs: Sequence[RunLog], output: Path, title: str, actors: ActorTable | None = None
) -> list[Path]:
    """Write ``report.html`` and ``report.md``.

    The page needs no network, and says so in its content-security policy, which also names the one
    script that may run: what prompts and models wrote can only ever be shown as text.

    Args:
        logs: Of any tasks; those of one task are compared.
        output: Folder to write into.
        title: Heading.
        actors: Names of threat actors; None for the shipped table.

    Raises:
        InputError: A log is empty, or logs of one task expect different answers.
    """
    table = actors or load_actors()
    sections = [
        _section([log for log in logs if log.header.task == name], table)
        for name in dict.fromkeys(log.header.task for log in logs)
    ]
    pages = {"report.html": _html(sections, title), "report.md": _markdown(sections, title)}
    for name, text in pages.items():
        write_text(output / name, text)
    return [output / name for name in pages]


def _section(logs: list[RunLog], actors: ActorTable) -> ReportSection:
    scored = [score(log, "best", actors) for log in logs]
    return ReportSection(
        title=find_task(logs[0].header.task).title,
        names=unique_names(logs),
        scored=scored,
        summaries=[summarise(one, actors) for one in scored],
        comparison=compare_logs(logs, actors) if len(logs) > 1 else None,
    )


def _html(sections: Sequence[ReportSection], title: str) -> str:
    resources = files("cybersecqwen.evaluation.report")
    script = resources.joinpath("report.js").read_text("utf-8")
    return (
        page_templates("cybersecqwen.evaluation.report")
        .get_template("report.html.j2")
        .render(
            title=title,
            introduction=_INTRODUCTION,
            version=__version__,
            style=resources.joinpath("report.css").read_text("utf-8"),
            script=script,
            script_hash=policy_hash(script),
            width=WIDTH,
            height=HEIGHT,
            sections=[
                {
                    "title": section.title,
                    "accuracy": intervals_of(section),
                    "tables": tables_of(section),
                    "charts": _charts(section),
                    "count": f"{len(items):,}",
                    "item_data": script_json({"systems": section.names, "items": items}),
                }
                for section in sections
                for items in [_items(section)]
            ],
        )
    )


_INTRODUCTION = (
    "Accuracy is strict: what cannot be read is wrong. Brackets are 95 % bootstrap intervals over "
    "items, with questions from one page drawn together; the spread over trials is apart. "
    "Closed-book and open-book results stand in separate columns. Where an imported text was cut, "
    "its makers' own reading counts."
)


def _markdown(sections: Sequence[ReportSection], title: str) -> str:
    parts = [f"# {_plain(title)}\n\n{_INTRODUCTION}\n"]
    for section in sections:
        parts.append(f"\n## {_plain(section.title)}\n")
        for heading, table in tables_of(section):
            content = markdown_table(table.heads, table.rows, text_columns=table.text_columns)
            parts.append(f"\n### {_plain(heading)}\n\n{content}\n")
    parts.append(f"\nMade by cybersecqwen {__version__}.\n")
    return "".join(parts)


def _plain(text: str) -> str:
    return " ".join(escape(text, quote=False).split())


def _charts(section: ReportSection) -> list[LineChart]:
    reliability, coverage = [], []
    for name, one in zip(section.names, section.scored, strict=True):
        sure = [row.confidence for row in one.rows if row.confidence is not None]
        if len(sure) < len(one.rows):
            continue
        table = calibration.reliability_table(sure, one.correct)
        largest = max(bar.count for bar in table)
        reliability.append(
            ChartLine(
                name,
                [bar.confidence for bar in table],
                [bar.accuracy for bar in table],
                [bar.count / largest for bar in table],
            )
        )
        curve = calibration.risk_coverage(sure, one.correct)
        # A few hundred points are all that a chart can show.
        kept = np.unique(np.linspace(0, len(curve.coverage) - 1, 300).astype(int))
        coverage.append(ChartLine(name, curve.coverage[kept].tolist(), curve.risk[kept].tolist()))
    if not reliability:
        return []
    top = max(0.1, float(np.ceil(10 * max(max(line.y) for line in coverage)) / 10))
    return [
        line_chart(
            "Reliability: accuracy by stated confidence",
            Axis("stated confidence"),
            Axis("accuracy"),
            reliability,
            diagonal=True,
        ),
        line_chart(
            "Risk and coverage: errors when only the surest are answered",
            Axis("share answered"),
            Axis("share wrong", top),
            coverage,
        ),
    ]


def _items(section: ReportSection) -> list[dict[str, Any]]:
    items: dict[str, dict[str, Any]] = {}
    for place, one in enumerate(section.scored):
        shares = one.matrix().mean(axis=1)
        first = {
            row.id: reading
            for row, reading in zip(one.rows, one.readings, strict=True)
            if row.trial == 0
        }
        for row, share in zip(one.items(), shares, strict=True):
            item = items.setdefault(
                row.id,
                {
                    "id": row.id,
                    "gold": row.gold,
                    "source": "",
                    "prompt": "",
                    "answers": [None] * len(section.scored),
                },
            )
            prompt = "\n\n".join(turn.content for turn in row.prompt)
            item["source"] = item["source"] or row.source
            item["prompt"] = max(item["prompt"], prompt, key=len)
            answer = {"reading": first[row.id], "right": float(share), "output": _cut(row.output)}
            if row.confidence is not None:
                answer["confidence"] = row.confidence
            item["answers"][place] = answer
    return list(items.values())


def _cut(text: str) -> str:
    if len(text) <= _SHOWN_CHARACTERS:
        return text
    return f"{text[:_SHOWN_CHARACTERS]} … ({len(text) - _SHOWN_CHARACTERS:,} characters more)"
