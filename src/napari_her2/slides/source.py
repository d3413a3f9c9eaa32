"""What a file format must offer: facts read once, and decoded tiles on request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from napari_her2.errors import SlideError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["SUPPORTED", "Facts", "Grid", "Source", "refuse_pixels"]

SUPPORTED = "only 8-bit RGB, RGBA and grey images of one plane are supported"


@dataclass(frozen=True, slots=True)
class Grid:
    """How one level is cut into tiles; sizes in that level's pixels, (rows, cols)."""

    shape: tuple[int, int]
    tile: tuple[int, int]

    @property
    def counts(self) -> tuple[int, int]:
        """Tiles per column and per row, the partial ones included."""
        return -(-self.shape[0] // self.tile[0]), -(-self.shape[1] // self.tile[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a file says of itself.

    Attributes
    ----------
    format : str
        ``openslide``, ``tiff``, ``ome-zarr``, ``dicom`` or ``field``.
    grids : tuple of Grid
        Candidate levels, level 0 first; those that do not strictly shrink are dropped by the slide.
    um_per_px : tuple of two floats or None
        Size of a level-0 pixel along (rows, cols) in µm, as stated; None where the file is silent.
    name : str or None
        What to call the slide where it is not the name of the path.
    files : tuple of Path or None
        The files it consists of where they are not those of the path.
    """

    format: str
    grids: tuple[Grid, ...]
    um_per_px: tuple[float, float] | None = None
    vendor: str | None = None
    objective: float | None = None
    associated: tuple[str, ...] = ()
    name: str | None = None
    files: tuple[Path, ...] | None = None


class Source(Protocol):
    """An open file; all methods may be called from several threads at once."""

    @property
    def facts(self) -> Facts:
        """What the file says of itself."""

    def tile(self, level: int, row: int, col: int) -> NDArray[np.uint8]:
        """Decode one tile.

        Parameters
        ----------
        level : int
            Index into ``facts.grids``.
        row, col : int
            Position in the grid, counted in tiles.

        Returns
        -------
        ndarray of shape (h, w, 3) or (h, w, 4), uint8
            RGB, or RGB with straight alpha; it covers at least the part of the tile inside the level.

        Raises
        ------
        SlideError
            If the tile is missing, truncated or cannot be decoded.
        """

    def associated_image(self, name: str) -> NDArray[np.uint8]:
        """Return one of ``facts.associated`` as (h, w, 3) uint8."""

    def icc(self) -> bytes | None:
        """Return the embedded colour profile of the pixels."""

    def close(self) -> None:
        """Release the file; reading afterwards raises SlideError."""


def refuse_pixels(name: str, what: str) -> SlideError:
    """Return the error for pixels of a kind that cannot be scored.

    Parameters
    ----------
    name : str
        Name of the file.
    what : str
        What it holds, e.g. ``"16-bit pixels"``.
    """
    return SlideError(f"{name} holds {what}: {SUPPORTED}, so convert it first, e.g. with QuPath or bfconvert")
