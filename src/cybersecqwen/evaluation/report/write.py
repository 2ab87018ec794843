"""Writes evaluation logs up as one self-contained HTML page and one Markdown file."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from cybersecqwen import __version__
from cybersecqwen.core import calibration
from cybersecqwen.core.files import write_text
from cybersecqwen.evaluation.actors import ActorTable, load_actors
from cybersecqwen.evaluation.compare import compare_logs, unique_names
from cybersecqwen.evaluation.log import RunLog
from cybersecqwen.evaluation.report.charts import Axis, ChartLine, line_chart
from cybersecqwen.evaluation.report.sections import ReportSection, tables_of
from cybersecqwen.evaluation.report.summary import summarise
from cybersecqwen.evaluation.report.tables import html_table, table_as_markdown
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
    style = resources.joinpath("report.css").read_text("utf-8")
    script = resources.joinpath("report.js").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    body = "".join(_html_section(section, f"items-{n}") for n, section in enumerate(sections))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{style}</style></head><body>"
        f"<h1>{escape(title)}</h1><p class='note'>{escape(_INTRODUCTION)}</p>{body}"
        f"<p class='note'>Made by cybersecqwen {__version__}. Questions and answers shown here "
        "stay under their benchmark's licence.</p>"
        f"<script>{script}</script></body></html>\n"
    )


_INTRODUCTION = (
    "Accuracy is strict: what cannot be read is wrong. Brackets are 95 % bootstrap intervals over "
    "items, with questions from one page drawn together; the spread over trials is apart. "
    "Closed-book and open-book results stand in separate columns. Where an imported text was cut, "
    "its makers' own reading counts."
)


def _html_section(section: ReportSection, block: str) -> str:
    parts = [f"<h2>{escape(section.title)}</h2>"]
    for heading, table in tables_of(section):
        parts.append(f"<h3>{escape(heading)}</h3>{html_table(table)}")
    charts = _charts(section)
    if charts:
        parts.append(f"<h3>Confidence</h3><div class='charts'>{''.join(charts)}</div>")
    data = msgspec.json.encode({"systems": section.names, "items": _items(section)}).decode()
    # "<" ends no script block once it is written as an escape; JSON reads it back the same.
    safe = data.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    parts.append(
        f'<h3>Items</h3><script type="application/json" id="{block}">{safe}</script>'
        f'<div data-items="{block}"></div>'
    )
    return "".join(parts)


def _markdown(sections: Sequence[ReportSection], title: str) -> str:
    parts = [f"# {_plain(title)}\n\n{_INTRODUCTION}\n"]
    for section in sections:
        parts.append(f"\n## {_plain(section.title)}\n")
        for heading, table in tables_of(section):
            parts.append(f"\n### {_plain(heading)}\n\n{table_as_markdown(table)}\n")
    parts.append(f"\nMade by cybersecqwen {__version__}.\n")
    return "".join(parts)


def _plain(text: str) -> str:
    return " ".join(escape(text, quote=False).split())


def _charts(section: ReportSection) -> list[str]:
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
