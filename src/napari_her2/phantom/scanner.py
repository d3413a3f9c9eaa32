"""Faults of one slide's stain and scanner: its light, and the picture made of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from napari_her2.phantom.faults import stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.phantom.faults import Faults
    from napari_her2.phantom.optics import Light

    Field = NDArray[np.float32]

__all__ = ["Scanner", "faulted", "scanner_for"]

_WHITES: Final = ((228.0, 233.0, 243.0), (246.0, 241.0, 222.0), (272.0, 270.0, 268.0))
"""Grey-blue, yellow and clipped."""


def faulted(light: Light, faults: Faults, seed: int) -> Light:
    """Return the light of a slide with the faults that concern all of it."""
    quality = stream(seed, "jpeg").uniform(70, 90)
    more = 1 + faults.blush * stream(seed, "blush").uniform(0.2, 0.4) / light.blush
    return replace(
        light,
        blush=light.blush * more,
        speck=light.speck / more,
        clump=light.clump / more,
        nuclear=light.nuclear + faults.nuclear * stream(seed, "nuclear").uniform(1.0, 2.2),
        quality=round(light.quality + faults.jpeg * (quality - light.quality)),
        noise=light.noise + faults.noise * stream(seed, "noise").uniform(4.0, 8.0),
        white=light.white + faults.tinted * (_white(seed) - light.white),
    )


def _white(seed: int) -> NDArray[np.float64]:
    rng = stream(seed, "tinted")
    return np.array(_WHITES[rng.integers(len(_WHITES))]) + rng.normal(0, 2, 3)


@dataclass(frozen=True, slots=True, eq=False)
class Scanner:
    """What a scanner does to the picture of one slide, by place on the glass.

    Attributes
    ----------
    flare : float
        Share of white light that falls on every pixel.
    gamma : float
        Exponent of the tone curve of transmittance; 1 leaves it.
    falloff : float
        Light lost in the corner of a field.
    field_px : (int, int)
        Rows and columns of a field.
    waves : ndarray of shape (n, 3)
        Rows and columns per radian (1/px) and phase of the waves whose sum says where focus is lost.
    defocus : float
        Greatest share of the blurred picture.
    defocus_px : float
        Standard deviation of the blur there.
    sharpening : float
        Weight of the unsharp mask.
    shift_px : (float, float)
        Shift of red against green; blue is shifted the other way.
    """

    flare: float
    gamma: float
    falloff: float
    field_px: tuple[int, int]
    waves: NDArray[np.float64]
    defocus: float
    defocus_px: float
    sharpening: float
    shift_px: tuple[float, float]

    @property
    def margin_px(self) -> int:
        """Pixels that must be drawn around a tile."""
        return 48 if self.defocus > 0 else 16

    @property
    def lights_glass(self) -> bool:
        """Whether empty glass is not of one colour."""
        return self.falloff > 0

    def seen(self, glow: Field, white: Field, corner: tuple[int, int]) -> Field:
        """Return the picture (h, w, 3) that the scanner makes of light; ``corner`` in px of the glass."""
        seen = self._focused(glow, corner)
        seen = self._shifted(seen)
        seen = self._toned(seen, white)
        if self.falloff > 0:
            seen = seen * self._shading(seen.shape[:2], corner)[..., None]
        if self.sharpening > 0:
            seen = seen + self.sharpening * (seen - cv2.GaussianBlur(seen, (0, 0), 1.6))
        return np.asarray(seen, np.float32)

    def _toned(self, seen: Field, white: Field) -> Field:
        """Compress optical density: flare, then the tone curve."""
        if self.flare == 0 and self.gamma == 1:
            return seen
        passed = np.clip(seen / white, 1e-4, None)
        return np.asarray(white * (self.flare + (1 - self.flare) * passed**self.gamma), np.float32)

    def _focused(self, glow: Field, corner: tuple[int, int]) -> Field:
        if self.defocus == 0:
            return glow
        rows, cols = _places(glow.shape[:2], corner)
        level = sum(np.cos(wave[0] * rows + wave[1] * cols + wave[2]) for wave in self.waves)
        share = self.defocus * np.clip(0.5 + level / len(self.waves) ** 0.5, 0, 1)[..., None]
        blurred = cv2.GaussianBlur(glow, (0, 0), self.defocus_px)
        return np.asarray(glow + share.astype(np.float32) * (blurred - glow), np.float32)

    def _shading(self, shape: tuple[int, ...], corner: tuple[int, int]) -> Field:
        rows, cols = _places(shape, corner)
        y, x = (
            2 * (place % side) / side - 1 for place, side in zip((rows, cols), self.field_px, strict=True)
        )
        return np.asarray(1 - self.falloff * (y**2 + x**2) / 2, np.float32)

    def _shifted(self, seen: Field) -> Field:
        if self.shift_px == (0.0, 0.0):
            return seen
        out = seen.copy()
        for channel, sign in ((0, 1.0), (2, -1.0)):
            move = np.array([[1, 0, sign * self.shift_px[1]], [0, 1, sign * self.shift_px[0]]])
            size = seen.shape[1], seen.shape[0]
            plane = np.ascontiguousarray(seen[..., channel])
            out[..., channel] = cv2.warpAffine(plane, move, size, borderMode=cv2.BORDER_REPLICATE)
        return out


def _places(shape: tuple[int, ...], corner: tuple[int, int]) -> tuple[NDArray[np.float64], ...]:
    """Row (h, 1) and column (1, w) of each pixel on the glass."""
    return (
        np.arange(shape[0], dtype=np.float64)[:, None] + corner[0],
        np.arange(shape[1], dtype=np.float64)[None, :] + corner[1],
    )


def scanner_for(faults: Faults, seed: int) -> Scanner | None:
    """Draw the faulty scanner of one phantom; None where its picture is as without faults."""
    if not any((faults.flat, faults.vignette, faults.focus, faults.sharpened, faults.chromatic)):
        return None
    flat, fall, focus = (stream(seed, name) for name in ("flat", "vignette", "focus"))
    away = stream(seed, "chromatic").uniform(0, 2 * np.pi)
    shift = 1.2 * faults.chromatic
    turns, lengths = focus.uniform(0, 2 * np.pi, 6), focus.uniform(700, 2600, 6)
    rates = 2 * np.pi / lengths
    return Scanner(
        flare=faults.flat * flat.uniform(0.22, 0.36),
        gamma=1 - faults.flat * flat.uniform(0.2, 0.45),
        falloff=faults.vignette * fall.uniform(0.12, 0.3),
        field_px=(int(fall.integers(1200, 2400)), int(fall.integers(1200, 2400))),
        waves=np.column_stack([rates * np.sin(turns), rates * np.cos(turns), focus.uniform(0, 2 * np.pi, 6)]),
        defocus=faults.focus,
        defocus_px=float(focus.uniform(3.0, 8.0)),
        sharpening=faults.sharpened * stream(seed, "sharpened").uniform(0.6, 1.6),
        shift_px=(float(shift * np.sin(away)), float(shift * np.cos(away))) if shift else (0.0, 0.0),
    )
