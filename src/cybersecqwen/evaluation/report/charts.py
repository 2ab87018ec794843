"""Geometry of the report's charts; the template draws it as inline SVG, so nothing is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

WIDTH: Final = 360
HEIGHT: Final = 300
_LEFT, _TOP, _RIGHT, _BOTTOM = 46, 12, 12, 40
_STEPS = 5


@dataclass(frozen=True, slots=True)
class ChartLine:
    """A named curve.

    Attributes:
        name: Legend entry.
        x: Ascending, on the axis's scale.
        y: One per ``x``.
        size: Marker areas relative to the largest, 0 to 1; empty for no markers.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    size: Sequence[float] = ()


@dataclass(frozen=True, slots=True)
class Axis:
    """A labelled axis from 0 to ``top``."""

    label: str
    top: float = 1.0


@dataclass(frozen=True, slots=True)
class Marker:
    """A circle, in the drawing's units."""

    x: float
    y: float
    radius: float


@dataclass(frozen=True, slots=True)
class DrawnLine:
    """A curve in the drawing's units.

    Attributes:
        name: Legend entry.
        path: Its points, as the ``d`` attribute of an SVG path.
        markers: Its circles.
    """

    name: str
    path: str
    markers: tuple[Marker, ...]


@dataclass(frozen=True, slots=True)
class Tick:
    """A grid line's place along its axis, in the drawing's units, and its label."""

    place: float
    label: str


@dataclass(frozen=True, slots=True)
class LineChart:
    """A chart of ``WIDTH`` times ``HEIGHT`` units, ready to be drawn.

    Attributes:
        title: What it shows; also its accessible name.
        x_label, y_label: What the axes measure.
        x_ticks, y_ticks: Grid lines.
        lines: The curves; each has its own colour and dashes.
        diagonal: Path on which x and y are equal; empty where it tells nothing.
        left, top, right, bottom: Edges of the plotted area.
    """

    title: str
    x_label: str
    y_label: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    lines: tuple[DrawnLine, ...]
    diagonal: str = ""
    left: int = _LEFT
    top: int = _TOP
    right: int = WIDTH - _RIGHT
    bottom: int = HEIGHT - _BOTTOM


def line_chart(
    title: str, x: Axis, y: Axis, lines: Sequence[ChartLine], diagonal: bool = False
) -> LineChart:
    """Lay a chart out.

    Args:
        title: What it shows; also its accessible name.
        x: Horizontal axis.
        y: Vertical axis.
        lines: The curves.
        diagonal: Whether to draw the line on which x and y are equal.
    """
    return LineChart(
        title,
        x.label,
        y.label,
        tuple(
            Tick(_across(x.top * n / _STEPS, x), f"{x.top * n / _STEPS:.2g}") for n in _numbers()
        ),
        tuple(Tick(_up(y.top * n / _STEPS, y), f"{y.top * n / _STEPS:.2g}") for n in _numbers()),
        tuple(_drawn(line, x, y) for line in lines),
        _path([0.0, x.top], [0.0, y.top], x, y) if diagonal else "",
    )


def _numbers() -> range:
    return range(_STEPS + 1)


def _drawn(line: ChartLine, x: Axis, y: Axis) -> DrawnLine:
    markers = tuple(
        Marker(_across(across, x), _up(up, y), 1.5 + 3 * size**0.5)
        for across, up, size in zip(line.x, line.y, line.size, strict=False)
    )
    return DrawnLine(line.name, _path(line.x, line.y, x, y), markers)


def _across(value: float, axis: Axis) -> float:
    return _LEFT + value / axis.top * (WIDTH - _LEFT - _RIGHT)


def _up(value: float, axis: Axis) -> float:
    return HEIGHT - _BOTTOM - value / axis.top * (HEIGHT - _TOP - _BOTTOM)


def _path(xs: Sequence[float], ys: Sequence[float], x: Axis, y: Axis) -> str:
    return "M" + " L".join(
        f"{_across(across, x):.1f} {_up(up, y):.1f}" for across, up in zip(xs, ys, strict=True)
    )
