"""Pictures into patches and back: explode and implode are exact inverses.

Implosion is weighted overlap-add, P(x) = Σ w(x - o_k) p_k(x) / Σ w(x - o_k), with w flat or a Hann
window; sums are kept in float64, so that what was cut apart comes back to the last bit of float32.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Stitcher", "Window", "explode", "implode", "window_of"]

Window = Literal["flat", "hann"]


def window_of(size_px: int, kind: Window = "hann") -> NDArray[np.float64]:
    """Weights (size_px, size_px) of a patch's pixels, all above 0.

    The Hann window is taken at the pixels' centres, sin²(π (i + ½) / n) along each axis: at an overlap
    of one half the weights add up to 1 everywhere inside.
    """
    if kind == "flat":
        return np.ones((size_px, size_px))
    line = np.sin(np.pi * (np.arange(size_px) + 0.5) / size_px) ** 2
    return np.outer(line, line)


class Stitcher:
    """A canvas on which patches of any depth are blended.

    Parameters
    ----------
    shape : tuple of int
        (rows, cols) of the canvas.
    channels : int
    size_px : int
        Side of a patch.
    window : {"flat", "hann"}
    dtype : type
        Of the sums: float64 gives back what was cut apart to the last bit of float32, float32 halves
        the memory.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        channels: int,
        size_px: int,
        window: Window = "hann",
        *,
        dtype: type[np.floating[Any]] = np.float64,
    ) -> None:
        self.shape = shape
        self._sums = np.zeros((channels, *shape), dtype)
        self._weights = np.zeros(shape, dtype)
        self._window = window_of(size_px, window).astype(dtype)

    def add(self, patch: NDArray[Any], row: int, col: int) -> None:
        """Blend in a patch (channels, size_px, size_px) at (row, col); what lies outside is left out."""
        size = len(self._window)
        top, left = max(-row, 0), max(-col, 0)
        bottom, right = min(size, self.shape[0] - row), min(size, self.shape[1] - col)
        if top >= bottom or left >= right:
            return
        inner = (slice(top, bottom), slice(left, right))
        place = (slice(row + top, row + bottom), slice(col + left, col + right))
        weight = self._window[inner]
        self._sums[(slice(None), *place)] += patch[(slice(None), *inner)] * weight
        self._weights[place] += weight

    @property
    def covered(self) -> NDArray[np.bool_]:
        """Where at least one patch lies: (rows, cols)."""
        return self._weights > 0

    def result(self, empty: float = 0.0) -> NDArray[Any]:
        """Blended canvas (channels, rows, cols); ``empty`` where no patch lies."""
        out = np.full_like(self._sums, empty)
        return np.divide(self._sums, self._weights, out=out, where=self.covered)


def _starts(n: int, size_px: int, stride_px: int) -> range:
    if not 0 < stride_px <= size_px:
        raise ValueError(f"stride_px must lie in [1, {size_px}], got {stride_px}")
    return range(0, max(n - size_px, 0) + stride_px, stride_px) if n > size_px else range(1)


def explode(
    image: NDArray[Any], size_px: int, stride_px: int | None = None, *, fill: Any = 0
) -> NDArray[Any]:
    """Cut a picture into patches from its corner on, row by row.

    Parameters
    ----------
    image : ndarray of shape (rows, cols) or (rows, cols, channels)
    size_px : int
        Side of a patch.
    stride_px : int, optional
        From one patch to the next; by default ``size_px``.
    fill : scalar or (channels,)
        Beyond the edge.

    Returns
    -------
    ndarray of shape (n, size_px, size_px[, channels]), of the picture's type
    """
    stride = size_px if stride_px is None else stride_px
    rows, cols = (_starts(n, size_px, stride) for n in image.shape[:2])
    out = np.empty((len(rows) * len(cols), size_px, size_px, *image.shape[2:]), image.dtype)
    out[:] = fill
    corners = [(row, col) for row in rows for col in cols]
    for patch, (row, col) in zip(out, corners, strict=True):
        part = image[row : row + size_px, col : col + size_px]
        patch[: part.shape[0], : part.shape[1]] = part
    return out


def implode(
    patches: NDArray[Any], shape: tuple[int, int], stride_px: int | None = None, *, window: Window = "hann"
) -> NDArray[Any]:
    """Put patches together again; the exact inverse of :func:`explode`.

    Parameters
    ----------
    patches : ndarray of shape (n, size_px, size_px[, channels])
        In the order of :func:`explode`.
    shape : tuple of int
        (rows, cols) of the picture.
    stride_px, window
        As they were cut, and how overlaps are blended.

    Raises
    ------
    ValueError
        If the number of patches does not fit the shape.
    """
    size = patches.shape[1]
    stride = size if stride_px is None else stride_px
    rows, cols = (_starts(n, size, stride) for n in shape)
    deep = patches.reshape(*patches.shape[:3], -1)
    canvas = Stitcher(shape, deep.shape[3], size, window)
    corners = [(row, col) for row in rows for col in cols]
    for patch, (row, col) in zip(deep, corners, strict=True):
        canvas.add(np.moveaxis(patch, 2, 0), row, col)
    whole = np.moveaxis(canvas.result(), 0, 2).reshape(*shape, *patches.shape[3:])
    if np.issubdtype(patches.dtype, np.integer):
        whole = np.rint(whole)
    return whole.astype(patches.dtype)
