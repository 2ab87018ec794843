"""The report as one HTML file that loads nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

from jinja2 import Template

from cybersecqwen.apps.outputs.rows import MapRow
from cybersecqwen.apps.report.bundle import report_script, report_style
from cybersecqwen.apps.report.markdown import figures_of
from cybersecqwen.apps.report.payload import packed_parts, tree_of
from cybersecqwen.apps.report.summary import ReportSummary
from cybersecqwen.core.html_page import page_templates, policy_hash, script_json
from cybersecqwen.core.taxonomy import Taxonomy


@lru_cache(maxsize=1)
def _template() -> Template:
    return page_templates("cybersecqwen.apps.report").get_template("report.html.j2")


class HtmlReportWriter:
    """A self-contained page: figures, charts, what to look at first, and every row with its text.

    Its policy (CSP) lets its own script and style run and nothing be loaded or sent. Without a
    script the figures are there as tables.

    Args:
        taxonomy: The catalogue, for names and the tree.
        version: Version of this package.
        title: What was mapped: a file's name.
    """

    def __init__(self, taxonomy: Taxonomy, version: str, title: str) -> None:
        self._taxonomy = taxonomy
        self._version = version
        self._title = title

    def __call__(self, rows: Iterable[MapRow]) -> Iterator[bytes]:
        """Return the page; the packed rows are held until the last one is there."""
        summary = ReportSummary()

        def counted() -> Iterator[MapRow]:
            for row in rows:
                summary.add(row)
                yield row

        parts = list(packed_parts(counted()))
        used = {*summary.cwes, *(said for said, _ in summary.pairs)}
        candidates = {cwe.id for cwe in self._taxonomy}
        facts = {
            "tree": tree_of(sorted(used | candidates), self._taxonomy),
            "title": self._title,
        }
        script, style = report_script(), report_style()
        page = _template().stream(
            title=self._title or "mapped records",
            version=self._version,
            catalogue=self._taxonomy.version,
            summary=summary,
            figures=figures_of(summary, self._taxonomy),
            script=script,
            style=style,
            script_hash=policy_hash(script),
            style_hash=policy_hash(style),
            facts=script_json(facts),
            parts=parts,
        )
        page.enable_buffering(64)
        for piece in page:
            yield piece.encode("utf-8")
