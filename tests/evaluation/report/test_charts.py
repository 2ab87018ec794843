from __future__ import annotations

from cybersecqwen.evaluation.report.charts import HEIGHT, WIDTH, Axis, ChartLine, line_chart


def test_a_chart_lies_within_its_frame() -> None:
    lines = [ChartLine("one", [0.0, 1.0], [0.0, 1.0], [0.5, 1.0]), ChartLine("two", [0.5], [0.5])]
    chart = line_chart("Title", Axis("x"), Axis("y", 2.0), lines, diagonal=True)
    low, high = chart.lines[0].markers
    for marker in (low, high):
        assert 0 <= marker.x <= WIDTH
        assert 0 <= marker.y <= HEIGHT
    # y runs to 2, so a value of 1 lies half-way up.
    assert low.y == chart.bottom
    assert high.y == (chart.top + chart.bottom) / 2
    assert chart.lines[1].markers == ()
    assert [tick.label for tick in chart.y_ticks] == ["0", "0.4", "0.8", "1.2", "1.6", "2"]
    assert chart.diagonal == f"M{chart.left}.0 {chart.bottom}.0 L{chart.right}.0 {chart.top}.0"
