"""The log of a run as CSV, and its curves as a picture."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["draw_curves", "write_log"]


def write_log(rows: Sequence[Mapping[str, float]], path: Path) -> None:
    """Write one row per epoch."""
    from napari_her2.store import write_bytes

    text = io.StringIO()
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: f"{value:.6g}" for name, value in row.items()} for row in rows)
    write_bytes(path, text.getvalue().encode())


def draw_curves(rows: Sequence[Mapping[str, float]], path: Path, best_epoch: int) -> bool:
    """Draw losses and figures over epochs; False where matplotlib is not installed.

    Parameters
    ----------
    rows : sequence of mapping
        With ``epoch``, ``train_loss``, ``validation_loss``; whatever else begins with ``validation_`` is
        a figure.
    path : Path
        A PNG.
    best_epoch : int
        Marked.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return False
    from napari_her2.store import replacing

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    losses, figures = figure.subplots(1, 2)
    names = [name for name in rows[-1] if name.startswith("validation_")] if rows else []
    _lines(losses, rows, ["train_loss", "validation_loss"], "loss")
    _lines(figures, rows, [name for name in names if name != "validation_loss"], "figure on validation")
    for axes in (losses, figures):
        axes.axvline(best_epoch, color="#888888", linestyle=":", linewidth=1)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)
    return True


def _lines(axes: Any, rows: Sequence[Mapping[str, float]], names: Sequence[str], title: str) -> None:
    epochs = [row["epoch"] for row in rows]
    for name in names:
        axes.plot(epochs, [row.get(name, float("nan")) for row in rows], marker=".", label=name)
    axes.set_xlabel("epoch")
    axes.set_title(title)
    if names:
        axes.legend(frameon=False)
