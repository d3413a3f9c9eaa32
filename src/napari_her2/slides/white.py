"""The colour of empty glass: what the scanner calls white, and how it is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from napari_her2.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]
    Rgb = tuple[float, float, float]

__all__ = ["PLAIN_WHITE", "White", "WhiteOrigin", "find_white", "given_white"]

WhiteOrigin = Literal["glass", "other_slide", "assumed", "given"]

PLAIN_WHITE: Final = (255.0, 255.0, 255.0)
DARKEST_GIVEN: Final = 100.0  # what a person may call white
MIN_BRIGHTNESS: Final = 190  # mean of the channels
MAX_SPREAD: Final = 30  # largest minus smallest channel
MIN_FRACTION: Final = 0.0015  # of the picture: smaller patches are no glass
MIN_PEAK: Final = 0.25  # of the highest peak: how high a marked one is
MOSTLY_GLASS: Final = 0.5  # of the picture: then light that falls off may outshine the peak
SIDE_PX: Final = 9  # glass is flat over squares of this side, and at least that wide
FLATTEST: Final = 1.5  # local standard deviation that is always flat, grey levels
LEAST_FLAT: Final = 4.0  # and that which never is
NOISE_FACTOR: Final = 3.0
WIDE_PX: Final = 15
BRIGHTER: Final = 2.0  # grey levels, over squares of WIDE_PX
MAX_BRIGHTER: Final = 0.02  # of the picture: nothing that is wider than a bright rim outshines glass
SATURATED: Final = 254
MAX_SATURATED: Final = 0.01  # of the picture, where its glass is darker
STILL_FRACTION: Final = 0.005
LEAST_BESIDE: Final = 0.3  # of what has no noise: a few flat places beside it are tissue, and it is the glass
RIM_PX: Final = 19  # padding is at least that wide, and its rim no glass
NEAR: Final = 4  # grey levels about a peak that belong to it


@dataclass(frozen=True, slots=True)
class White:
    """The light that passes where nothing absorbs.

    Attributes
    ----------
    rgb : (red, green, blue)
        0 to 255 per channel.
    origin : {"glass", "other_slide", "assumed", "given"}
        Seen on the slide, taken from the case's other slide of the same scanner, assumed since the slide
        shows none, or given by a person.
    """

    rgb: Rgb
    origin: WhiteOrigin

    @property
    def known(self) -> bool:
        """Whether it was seen on this slide or given for it."""
        return self.origin in ("glass", "given")


def given_white(values: Iterable[float] | None, option: str = "--white") -> White | None:
    """Return the white that a person gave, checked; None where none was given.

    Raises
    ------
    UsageError
        If it is not three numbers from 100 to 255.
    """
    if values is None:
        return None
    numbers = tuple(float(v) for v in values)
    if len(numbers) != 3 or not all(DARKEST_GIVEN <= v <= 255 for v in numbers):
        told = ",".join(f"{v:g}" for v in numbers)
        raise UsageError(
            f"{option} {told} is no white: give red,green,blue of bare glass, each from "
            f"{DARKEST_GIVEN:g} to 255"
        )
    return White((numbers[0], numbers[1], numbers[2]), "given")


def find_white(rgb: NDArray[np.uint8], alpha: NDArray[np.uint8] | None = None) -> White:
    """Find the glass of a picture: bright, achromatic and flat patches that nothing else outshines.

    Padding is constant to the last bit over large areas; it is taken for glass only where there is no
    other. Tissue is never taken: pale tissue is rough, or brighter places lie beside it. The colour is
    that of the brightest marked level of the patches, not a percentile of the picture.

    Parameters
    ----------
    rgb : ndarray of shape (h, w, 3), uint8
        The whole slide at low magnification, or a picture at high magnification.
    alpha : ndarray of shape (h, w), uint8, optional
        Only opaque pixels count.

    Returns
    -------
    White
        255, ``assumed``, where the picture shows no glass.
    """
    opaque = np.ones(rgb.shape[:2], np.bool_) if alpha is None else alpha == 255
    still = _still(rgb)
    found, share = _glass(rgb, still | _near(_wide(still), RIM_PX) | ~opaque)
    bright = still & opaque & (_least(rgb) >= MIN_BRIGHTNESS)
    if found is None or share < LEAST_BESIDE * bright.mean():
        return _of_still(rgb, still & opaque)
    return White(found, "glass")


def _still(rgb: NDArray[np.uint8]) -> Mask:
    """Where a square of 5 pixels has one value."""
    import cv2

    kernel = np.ones((5, 5), np.uint8)
    same: Mask = _most(cv2.dilate(rgb, kernel) - cv2.erode(rgb, kernel)) == 0
    return same


def _least(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Smallest channel; numpy reduces short axes slowly."""
    return np.minimum(np.minimum(rgb[..., 0], rgb[..., 1]), rgb[..., 2])


def _most(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.maximum(np.maximum(rgb[..., 0], rgb[..., 1]), rgb[..., 2])


def _mean(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    total = rgb[..., 0].astype(np.uint16) + rgb[..., 1] + rgb[..., 2]
    return np.asarray(total / np.float32(3), np.float32)


def _wide(mask: Mask) -> Mask:
    import cv2

    wide: Mask = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, np.ones((RIM_PX,) * 2, np.uint8)) > 0
    return wide


def _of_still(rgb: NDArray[np.uint8], still: Mask) -> White:
    """Glass without any noise, as compression leaves it; pure white says nothing, it may be padding."""
    pixels = rgb[still & (_least(rgb) < 255)]
    spread = _most(pixels) - _least(pixels)
    pixels = pixels[(_mean(pixels) >= MIN_BRIGHTNESS) & (spread <= MAX_SPREAD)]
    if len(pixels) < STILL_FRACTION * still.size:
        return White(PLAIN_WHITE, "assumed")
    level = np.rint(_mean(pixels)).astype(np.intp)
    counts = np.bincount(level)
    glass = np.flatnonzero(counts >= max(MIN_PEAK * counts.max(), 1))[-1]
    red, green, blue = (float(v) for v in np.median(pixels[np.abs(level - glass) <= NEAR], axis=0))
    return White((red, green, blue), "glass")


def _glass(rgb: NDArray[np.uint8], still: Mask) -> tuple[Rgb | None, float]:
    """Colour of the glass, and its share of the picture."""
    grey = _mean(rgb)
    level, flat = _flat(rgb, grey, still)
    if np.count_nonzero(flat) < MIN_FRACTION * flat.size:
        return None, 0.0
    scanned = ~_near(still, WIDE_PX)
    if flat.mean() > MOSTLY_GLASS:
        scanned &= ~flat
    for peak in _peaks(level[flat], MIN_FRACTION * flat.size):
        if not _outshone(peak, rgb, grey, scanned):
            near = flat & (np.abs(level - peak) <= NEAR)
            red, green, blue = (float(v) for v in np.median(rgb[near], axis=0))
            return (red, green, blue), float(near.mean())
    return None, 0.0


def _outshone(peak: int, rgb: NDArray[np.uint8], grey: NDArray[np.float32], scanned: Mask) -> bool:
    """Whether much of the picture is brighter (wider than a bright rim) or saturated: that is the glass."""
    import cv2

    wide = cv2.blur(grey, (WIDE_PX, WIDE_PX), borderType=cv2.BORDER_REFLECT)
    saturated = np.mean((_least(rgb) >= SATURATED) & scanned)
    if peak < SATURATED - NEAR and saturated > MAX_SATURATED:
        return True
    return bool(np.mean((wide > peak + BRIGHTER) & scanned) > MAX_BRIGHTER)


def _flat(rgb: NDArray[np.uint8], grey: NDArray[np.float32], still: Mask) -> tuple[NDArray[np.float32], Mask]:
    """Local mean, and where the picture is bright, nearly grey, and as flat as its flattest bright places."""
    import cv2

    size = (SIDE_PX, SIDE_PX)
    level = cv2.blur(grey, size, borderType=cv2.BORDER_REFLECT)
    square = cv2.blur(grey * grey, size, borderType=cv2.BORDER_REFLECT)
    rough = np.sqrt(np.maximum(square - level * level, 0))
    colour = cv2.blur(rgb, size, borderType=cv2.BORDER_REFLECT)
    spread = _most(colour) - _least(colour)
    bright = (level >= MIN_BRIGHTNESS) & (spread <= MAX_SPREAD) & ~still
    if not bright.any():
        return level, bright
    limit = float(np.clip(NOISE_FACTOR * np.quantile(rough[bright], 0.05), FLATTEST, LEAST_FLAT))
    smooth = (bright & (rough <= limit)).astype(np.uint8)
    flat: Mask = cv2.morphologyEx(smooth, cv2.MORPH_OPEN, np.ones(size, np.uint8)) > 0
    return level, flat


def _near(mask: Mask, side_px: int) -> Mask:
    import cv2

    near: Mask = cv2.dilate(mask.astype(np.uint8), np.ones((side_px, side_px), np.uint8)) > 0
    return near


def _peaks(brightness: NDArray[np.float32], least: float) -> list[int]:
    """Levels that may be glass: the brightest marked peak, and the brightest of all, as of a lumen."""
    counts = np.bincount(np.rint(brightness).astype(np.intp), minlength=256).astype(np.float64)
    kernel = np.array([1.0, 2, 3, 2, 1]) / 3
    smooth = np.convolve(counts, kernel, mode="same")
    smooth[-2:] *= kernel.sum() / (kernel[-4:].sum(), kernel[-3:].sum())  # a window over the clipped end
    tops = [_top(smooth, height) for height in (max(MIN_PEAK * smooth.max(), least), least)]
    return [top for top in dict.fromkeys(tops) if top is not None]


def _top(smooth: NDArray[np.float64], least: float) -> int | None:
    """Brightest local maximum of at least this height."""
    high = np.flatnonzero(smooth >= least)
    if not len(high):
        return None
    top = int(high[-1])
    while top > 0 and smooth[top - 1] > smooth[top]:
        top -= 1
    return top
