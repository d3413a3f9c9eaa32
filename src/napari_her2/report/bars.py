"""Percentages as bars with their intervals, drawn as SVG."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from napari_her2.vocabulary import COLOURS

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["percent_bars"]

ROW: Final = 30
LEFT: Final = 70
WIDTH: Final = 500
CUTOFF: Final = 10


def percent_bars(percent: Mapping[str, float], intervals: Mapping[str, tuple[float, float]]) -> str:
    """Return one bar per class with its 95 % interval and the 10 % threshold, as SVG.

    Parameters
    ----------
    percent : mapping of class to 0..100
    intervals : mapping of class to (low, high)
    """
    rows = "".join(
        _row(k, name, value, intervals.get(name, (value, value)))
        for k, (name, value) in enumerate(percent.items())
    )
    height = ROW * len(percent) + 6
    x = _x(CUTOFF)
    line = f'<line x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{height}" stroke="#8a4b00" stroke-dasharray="4 3"/>'
    return (
        f'<svg viewBox="0 0 780 {height}" width="100%" role="img" aria-label="percent by class" '
        f'font-family="inherit" font-size="14">{rows}{line}</svg>'
    )


def _x(value: float) -> float:
    return LEFT + WIDTH * min(max(value, 0.0), 100.0) / 100


def _row(k: int, name: str, value: float, ends: tuple[float, float]) -> str:
    top, middle = k * ROW + 6, k * ROW + 17
    low, high = _x(ends[0]), _x(ends[1])
    text = f"{value:.1f} % ({ends[0]:.1f} to {ends[1]:.1f})"
    return (
        f'<text x="0" y="{middle + 5}">{escape(name)}</text>'
        f'<rect x="{LEFT}" y="{top}" width="{WIDTH}" height="22" fill="#f0f2f4"/>'
        f'<rect x="{LEFT}" y="{top}" width="{_x(value) - LEFT:.1f}" height="22" fill="{COLOURS[name]}"/>'
        f'<path d="M{low:.1f} {middle - 5}v10M{low:.1f} {middle}H{high:.1f}M{high:.1f} {middle - 5}v10" '
        'stroke="#1b1f24" stroke-width="1.5" fill="none"/>'
        f'<text x="{LEFT + WIDTH + 10}" y="{middle + 5}">{text}</text>'
    )
