from __future__ import annotations

from xml.etree import ElementTree

from cybersecqwen.evaluation.report.charts import Axis, ChartLine, line_chart
from cybersecqwen.evaluation.report.tables import Table, html_table, table_as_markdown


def test_a_chart_is_well_formed_and_lies_within_its_frame() -> None:
    lines = [
        ChartLine("a < b & c", [0.0, 1.0], [0.0, 1.0], [0.5, 1.0]),
        ChartLine("d", [0.5], [0.5]),
    ]
    chart = line_chart("Title <1>", Axis("x"), Axis("y", 2.0), lines, diagonal=True)
    figure = ElementTree.fromstring(chart.replace("class='legend'", 'class="legend"'))
    circles = list(figure.iter("circle"))
    assert len(circles) == 2
    for circle in circles:
        assert 0 <= float(circle.attrib["cx"]) <= 360
        assert 0 <= float(circle.attrib["cy"]) <= 300
    # y runs to 2, so a value of 1 lies half-way up.
    assert float(circles[0].attrib["cy"]) > float(circles[1].attrib["cy"]) > 100
    assert "".join(figure.find("ul").itertext()) == "a < b & cd"  # type: ignore[union-attr]


def test_cells_are_escaped_in_both_forms() -> None:
    table = Table(["a|b", "n"], [["<b>*x*\n|y|", "1"]])
    assert "&lt;b&gt;" in html_table(table)
    head, rule, row = table_as_markdown(table).splitlines()
    assert head == "| a\\|b | n |"
    assert rule == "| --- | ---: |"
    assert row == "| &lt;b&gt;\\*x\\* \\|y\\| | 1 |"
