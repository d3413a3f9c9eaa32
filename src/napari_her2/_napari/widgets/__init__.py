"""The panels; Qt lives here."""

from __future__ import annotations

from napari_her2._napari.widgets.panel import ScorePanel

__all__ = ["ScorePanel"]
