"""Writes evaluation logs up as one self-contained HTML page and one Markdown file."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
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
from cybersecqwen.evaluation.charts import Axis, Line, line_chart
from cybersecqwen.evaluation.compare import Comparison, compare_logs, unique_names
from cybersecqwen.evaluation.hierarchy import RELATIONS
from cybersecqwen.evaluation.log import RunLog
from cybersecqwen.evaluation.scoring import Scored, score
from cybersecqwen.evaluation.summary import Abstention, Summary, summarise
from cybersecqwen.evaluation.tables import Table, html_table, markdown_table
from cybersecqwen.evaluation.tasks import find_task

_SHOWN_CHARACTERS = 4000
_CONFUSIONS_SHOWN = 10


@dataclass(frozen=True)
class _Section:
    """One task's logs, scored.

    Attributes:
        title: The task's title.
        names: A short name for each system.
        scored: Each system's readings.
        summaries: Each system's summary.
        comparison: The paired tests, where there are two systems or more.
    """

    title: str
    names: list[str]
    scored: list[Scored]
    summaries: list[Summary]
    comparison: Comparison | None


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


def _section(logs: list[RunLog], actors: ActorTable) -> _Section:
    scored = [score(log, "best", actors) for log in logs]
    return _Section(
        title=find_task(logs[0].header.task).title,
        names=unique_names(logs),
        scored=scored,
        summaries=[summarise(one, actors) for one in scored],
        comparison=compare_logs(logs, actors) if len(logs) > 1 else None,
    )


def _html(sections: Sequence[_Section], title: str) -> str:
    resources = files("cybersecqwen.evaluation")
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


def _html_section(section: _Section, block: str) -> str:
    parts = [f"<h2>{escape(section.title)}</h2>"]
    for heading, table in _tables(section):
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


def _markdown(sections: Sequence[_Section], title: str) -> str:
    parts = [f"# {_plain(title)}\n\n{_INTRODUCTION}\n"]
    for section in sections:
        parts.append(f"\n## {_plain(section.title)}\n")
        for heading, table in _tables(section):
            parts.append(f"\n### {_plain(heading)}\n\n{markdown_table(table)}\n")
    parts.append(f"\nMade by cybersecqwen {__version__}.\n")
    return "".join(parts)


def _plain(text: str) -> str:
    return " ".join(escape(text, quote=False).split())


def _tables(section: _Section) -> list[tuple[str, Table]]:
    tables = [("Results", _results(section))]
    if section.comparison is not None:
        tables.append(("Paired differences", _pairs(section.comparison)))
    if any(summary.hierarchy for summary in section.summaries):
        tables.append(("By place in the CWE catalogue", _relations(section)))
    if any(summary.ece is not None for summary in section.summaries):
        tables.append(("Calibration", _calibration(section)))
    if any(summary.confusions for summary in section.summaries):
        tables.append(("Commonest mistakes", _mistakes(section)))
    return tables


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _with_interval(value: float | None, interval: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4f} [{interval.low:.4f}, {interval.high:.4f}]"


def _results(section: _Section) -> Table:
    extras = [
        (label, name)
        for label, name in (
            ("deviation of the base score", "mad"),
            ("micro F1", "micro_f1"),
            ("macro F1", "macro_f1"),
            ("plausible", "plausible"),
            ("top-5", "top5"),
        )
        if any(getattr(summary, name) is not None for summary in section.summaries)
    ]
    rows = []
    for name, summary in zip(section.names, section.summaries, strict=True):
        cell = _with_interval(summary.accuracy, summary.ci95)
        rows.append(
            [
                name,
                summary.protocol,
                "" if summary.open_book else cell,
                cell if summary.open_book else "",
                f"{summary.n:,}" + ("" if summary.complete else " (unfinished)"),
                str(summary.trials),
                _trial_spread(summary),
                f"{summary.parse_failures:,} ({summary.parse_failure_rate:.1%})",
                *(_share(getattr(summary, field)) for _, field in extras),
            ]
        )
    rows.append(_majority(section, len(extras)))
    heads = [
        "System",
        "Protocol",
        "Accuracy, closed book",
        "Accuracy, open book",
        "Items",
        "Trials",
        "Spread over trials",
        "Unreadable",
        *(label for label, _ in extras),
    ]
    return Table(heads, rows, text_columns=2)


def _trial_spread(summary: Summary) -> str:
    if summary.trials > 1:
        return f"{summary.spread.trial_sd:.4f}"
    released = summary.released_trials
    if len(released) < 2:
        return ""
    return f"{np.std(released, ddof=1):.4f} ({len(released)} released trials)"


def _majority(section: _Section, extras: int) -> list[str]:
    golds = Counter(row.gold for row in section.scored[0].items())
    (answer, count), *_ = golds.most_common(1)
    total = sum(golds.values())
    name = f"always {answer}" if len(answer) <= 40 else "always the commonest answer"
    return [name, "baseline", f"{count / total:.4f}", "", f"{total:,}", *[""] * (3 + extras)]


def _pairs(comparison: Comparison) -> Table:
    rows = []
    for pair in comparison.pairs:
        test = pair.test
        rows.append(
            [
                pair.a,
                pair.b,
                f"{test.difference:+.4f} [{test.ci95.low:+.4f}, {test.ci95.high:+.4f}]",
                f"{test.n:,}",
                f"{test.only_a:,}",
                f"{test.only_b:,}",
                f"{test.p_mcnemar:.2g}",
                "" if test.p_holm is None else f"{test.p_holm:.2g}",
            ]
        )
    heads = ["A", "B", "A less B", "Items", "Only A right", "Only B right", "McNemar p", "Holm p"]
    return Table(heads, rows, text_columns=2)


def _relations(section: _Section) -> Table:
    rows = []
    for name, summary in zip(section.names, section.summaries, strict=True):
        judged = summary.hierarchy
        if judged is not None:
            shares = [f"{judged.relations[relation]:.4f}" for relation in RELATIONS]
            unfit = [f"{judged.discouraged:.4f}", f"{judged.prohibited:.4f}"]
            rows.append([name, *shares, f"{judged.within_one:.4f}", f"{judged.f1:.4f}", *unfit])
    heads = [
        "System",
        *RELATIONS,
        "within one step",
        "hierarchical F1",
        "discouraged",
        "prohibited",
    ]
    return Table(heads, rows)


def _calibration(section: _Section) -> Table:
    rows = [
        [
            name,
            _share(summary.ece),
            _share(summary.ece_equal_width),
            _share(summary.brier),
            _share(summary.aurc),
            _share(summary.accuracy_at_70_coverage),
            *_abstention(summary.abstention),
        ]
        for name, summary in zip(section.names, section.summaries, strict=True)
        if summary.ece is not None
    ]
    heads = [
        "System",
        "ECE, equal mass",
        "ECE, equal width",
        "Brier",
        "Area under risk-coverage",
        "Accuracy at 70 % coverage",
        "Coverage at its own threshold",
        "Accuracy there",
        "Backed off",
        "Backed off rightly",
    ]
    return Table(heads, rows)


def _abstention(found: Abstention | None) -> list[str]:
    if found is None:
        return [""] * 4
    shares = (found.coverage, found.accuracy_answered, found.backoff, found.backoff_right)
    return [_share(share) for share in shares]


def _mistakes(section: _Section) -> Table:
    rows = [
        [name, wrong.gold, "unreadable" if wrong.answer is None else wrong.answer, f"{wrong.count}"]
        for name, summary in zip(section.names, section.summaries, strict=True)
        for wrong in summary.confusions[:_CONFUSIONS_SHOWN]
    ]
    return Table(["System", "Expected", "Answered", "Times"], rows, text_columns=3)


def _charts(section: _Section) -> list[str]:
    reliability, coverage = [], []
    for name, one in zip(section.names, section.scored, strict=True):
        sure = [row.confidence for row in one.rows if row.confidence is not None]
        if len(sure) < len(one.rows):
            continue
        table = calibration.reliability_table(sure, one.correct)
        largest = max(bar.count for bar in table)
        reliability.append(
            Line(
                name,
                [bar.confidence for bar in table],
                [bar.accuracy for bar in table],
                [bar.count / largest for bar in table],
            )
        )
        curve = calibration.risk_coverage(sure, one.correct)
        # A few hundred points are all that a chart can show.
        kept = np.unique(np.linspace(0, len(curve.coverage) - 1, 300).astype(int))
        coverage.append(Line(name, curve.coverage[kept].tolist(), curve.risk[kept].tolist()))
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


def _items(section: _Section) -> list[dict[str, Any]]:
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
