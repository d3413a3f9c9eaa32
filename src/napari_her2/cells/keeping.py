"""What may keep finished tiles of a run, so that a killed one goes on where it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from napari_her2.cells.tile import Measured
    from napari_her2.geometry import Box

__all__ = ["TileKeeper"]


class TileKeeper(Protocol):
    """A place for measured tiles; tiles are named by their box in working pixels."""

    def load(self, own: Box) -> Measured | None:
        """Return the tile if it was kept."""

    def save(self, own: Box, tile: Measured) -> None:
        """Keep a tile."""
