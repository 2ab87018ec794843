"""Charts as inline SVG: no network, no library, readable in light and dark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _HEIGHT = 360, 300
_LEFT, _TOP, _RIGHT, _BOTTOM = 46, 12, 12, 40
_DASHES = ("", "6 3", "2 3", "8 3 2 3", "1 2", "10 4")


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


def line_chart(
    title: str, x: Axis, y: Axis, lines: Sequence[ChartLine], diagonal: bool = False
) -> str:
    """Return a figure with a chart and its legend.

    Args:
        title: What it shows; also its accessible name.
        x: Horizontal axis.
        y: Vertical axis.
        lines: The curves; each has its own colour and dashes.
        diagonal: Whether to draw the line on which x and y are equal.
    """
    parts = [
        f"<figure><figcaption>{escape(title)}</figcaption>"
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">'
    ]
    parts.extend(_grid(x, y))
    if diagonal:
        parts.append(_path([0.0, x.top], [0.0, y.top], x, y, 'class="even"'))
    for number, line in enumerate(lines):
        style = f'class="c{number % 6}" stroke-dasharray="{_DASHES[number % 6]}"'
        parts.append(_path(line.x, line.y, x, y, style))
        for across, up, size in zip(line.x, line.y, line.size, strict=False):
            radius = 1.5 + 3 * size**0.5
            parts.append(
                f'<circle class="c{number % 6}" cx="{_across(across, x):.1f}" '
                f'cy="{_up(up, y):.1f}" r="{radius:.1f}"/>'
            )
    parts.append("</svg><ul class='legend'>")
    parts.extend(
        f'<li><svg viewBox="0 0 24 8"><path class="c{number % 6}" '
        f'stroke-dasharray="{_DASHES[number % 6]}" d="M0 4H24"/></svg>{escape(line.name)}</li>'
        for number, line in enumerate(lines)
    )
    parts.append("</ul></figure>")
    return "".join(parts)


def _across(value: float, axis: Axis) -> float:
    return _LEFT + value / axis.top * (_WIDTH - _LEFT - _RIGHT)


def _up(value: float, axis: Axis) -> float:
    return _HEIGHT - _BOTTOM - value / axis.top * (_HEIGHT - _TOP - _BOTTOM)


def _path(xs: Sequence[float], ys: Sequence[float], x: Axis, y: Axis, style: str) -> str:
    points = " L".join(
        f"{_across(across, x):.1f} {_up(up, y):.1f}" for across, up in zip(xs, ys, strict=True)
    )
    # Plain attributes too, for a viewer that leaves the page's style sheet out.
    return f'<path fill="none" stroke="currentColor" {style} d="M{points}"/>'


def _grid(x: Axis, y: Axis) -> list[str]:
    parts = []
    for step in range(6):
        across, up = _across(x.top * step / 5, x), _up(y.top * step / 5, y)
        parts.append(
            '<path class="grid" stroke="currentColor" stroke-width="0.2" '
            f'd="M{across:.1f} {_TOP}V{_HEIGHT - _BOTTOM}M{_LEFT} {up:.1f}H{_WIDTH - _RIGHT}"/>'
            f'<text x="{across:.1f}" y="{_HEIGHT - _BOTTOM + 14}" text-anchor="middle">'
            f"{x.top * step / 5:.2g}</text>"
            f'<text x="{_LEFT - 6}" y="{up + 4:.1f}" text-anchor="end">'
            f"{y.top * step / 5:.2g}</text>"
        )
    middle = (_HEIGHT - _BOTTOM + _TOP) / 2
    parts.append(
        f'<text x="{(_WIDTH + _LEFT) / 2:.0f}" y="{_HEIGHT - 6}" text-anchor="middle">'
        f'{escape(x.label)}</text><text transform="translate(12 {middle:.0f}) rotate(-90)" '
        f'text-anchor="middle">{escape(y.label)}</text>'
    )
    return parts
