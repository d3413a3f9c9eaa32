"""Reliability, decision curve and confusion as SVG and HTML, from the plain values of an evaluation."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["bland_altman_plot", "confusion_table", "decision_plot", "reliability_plot"]

SIDE: Final = 320.0
EDGE: Final = 44.0
Points = list[tuple[float, float]]


class _Axes:
    """A square plot with labelled axes; places are numbers between the ends."""

    def __init__(self, x_ends: tuple[float, float], y_ends: tuple[float, float]) -> None:
        self._x, self._y = x_ends, y_ends

    def at(self, x: float, y: float) -> tuple[float, float]:
        low, high = self._x
        bottom, top = self._y
        right = EDGE + SIDE * (min(max(x, low), high) - low) / (high - low)
        down = 10 + SIDE * (top - min(max(y, bottom), top)) / (top - bottom)
        return right, down

    def line(self, points: Points, colour: str, dash: str = "") -> str:
        places = " ".join(f"{x:.1f},{y:.1f}" for x, y in (self.at(*point) for point in points))
        how = f' stroke-dasharray="{dash}"' if dash else ""
        return f'<polyline points="{places}" fill="none" stroke="{colour}" stroke-width="2"{how}/>'

    def frame(self, x_name: str, y_name: str) -> str:
        """Box, four ticks along each axis, and names."""
        parts = [f'<rect x="{EDGE}" y="10" width="{SIDE}" height="{SIDE}" fill="none" stroke="#d8dde3"/>']
        for k in range(5):
            x = self._x[0] + k / 4 * (self._x[1] - self._x[0])
            y = self._y[0] + k / 4 * (self._y[1] - self._y[0])
            right, down = self.at(x, y)
            parts.append(f'<text x="{right:.1f}" y="{SIDE + 26}" text-anchor="middle">{x:.3g}</text>')
            parts.append(f'<text x="{EDGE - 6}" y="{down + 4:.1f}" text-anchor="end">{y:.2g}</text>')
        middle = EDGE + SIDE / 2
        parts.append(f'<text x="{middle}" y="{SIDE + 44}" text-anchor="middle">{escape(x_name)}</text>')
        turned = f'transform="rotate(-90 10 {10 + SIDE / 2})"'
        parts.append(
            f'<text x="10" y="{10 + SIDE / 2}" text-anchor="middle" {turned}>{escape(y_name)}</text>'
        )
        return "".join(parts)


def _svg(content: str, label: str) -> str:
    width, height = EDGE + SIDE + 16, SIDE + 52
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" width="100%" role="img" aria-label="{escape(label)}" '
        f'font-family="inherit" font-size="12">{content}</svg>'
    )


def reliability_plot(bins: Sequence[Mapping[str, Any]]) -> str:
    """Stated against found; circles grow with the number of samples."""
    axes = _Axes((0, 1), (0, 1))
    most = max(b["n"] for b in bins)
    parts = [
        axes.frame("stated probability", "share that came true"),
        axes.line([(0, 0), (1, 1)], "#5b6470", "4 3"),
    ]
    parts.append(axes.line([(b["stated"], b["found"]) for b in bins], "#4575B4"))
    for b in bins:
        x, y = axes.at(b["stated"], b["found"])
        radius = 2 + 4 * (b["n"] / most) ** 0.5
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="#4575B4"/>')
    return _svg("".join(parts), "reliability")


def decision_plot(curve: Sequence[Mapping[str, Any]], threshold: float) -> str:
    """Net benefit of the model, of acting on all and of acting on none, with the threshold."""
    top = max(max(p["model"], p["act_on_all"]) for p in curve)
    top = max(top, 0.01) * 1.08
    axes = _Axes((0, max(p["threshold"] for p in curve)), (-0.25 * top, top))
    model = [(p["threshold"], p["model"]) for p in curve]
    always = [(p["threshold"], p["act_on_all"]) for p in curve if p["act_on_all"] >= -0.25 * top]
    parts = [
        axes.frame("probability from which one would act", "net benefit"),
        axes.line([(0, 0), (1, 0)], "#5b6470"),
        axes.line(always, "#D73027", "4 3"),
        axes.line([(threshold, -1), (threshold, 1)], "#8a4b00", "2 3"),
        axes.line(model, "#4575B4"),
    ]
    return _svg("".join(parts), "decision curve")


def confusion_table(
    counts: Sequence[Sequence[int]], classes: Sequence[str], corner: str = "truth, called"
) -> str:
    """Rows are the truth; cells are shaded by their share of the row."""
    head = "".join(f'<th class="n">{escape(name)}</th>' for name in classes)
    rows = []
    for name, row in zip(classes, counts, strict=True):
        total = sum(row) or 1
        cells = "".join(
            f'<td class="n" style="background:rgba(69,117,180,{0.6 * n / total:.3f})">{n}</td>' for n in row
        )
        rows.append(f"<tr><th>{escape(name)}</th>{cells}</tr>")
    return f"<table><tr><th>{escape(corner)}</th>{head}</tr>{''.join(rows)}</table>"


def bland_altman_plot(found: Mapping[str, Any]) -> str:
    """Differences against means in percentage points, with bias and limits; circles are cases."""
    points = [(p["mean"], p["difference"]) for p in found["points"]]
    limits = [v for v in (found["low"], found["high"], found["bias"]) if v is not None]
    far = max([abs(v) for v in (*limits, *(d for _, d in points))] + [5.0]) * 1.1
    axes = _Axes((0, 100), (-far, far))
    parts = [axes.frame("mean of both (%)", "difference (points)"), axes.line([(0, 0), (100, 0)], "#d8dde3")]
    for value, colour in ((found["bias"], "#1b1f24"), (found["low"], "#8a4b00"), (found["high"], "#8a4b00")):
        if value is not None:
            parts.append(axes.line([(0, value), (100, value)], colour, "4 3"))
    for mean, difference in points:
        x, y = axes.at(mean, difference)
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="#4575B4" fill-opacity="0.7"/>')
    return _svg("".join(parts), "difference against mean")
