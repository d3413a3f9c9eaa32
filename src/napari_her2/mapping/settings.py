"""What a person may wish of a registration."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MappingSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingSettings:
    """Wishes of a registration; the defaults suit sections of one block.

    Attributes
    ----------
    finest_um_per_px : float
        Smooth warps are followed down to this pixel size, where the slides are that fine.
    largest_px : int
        Longest side of a working image.
    angle_step : float
        Step of the first search, degrees; must divide 90, so that a turned slide gives the same result.
    wide_angle_step : float
        The same for the search over scales.
    scales : tuple of float
        H&E µm per IHC µm that are tried if the pixel sizes as stated do not lead to a convincing match.
    nonrigid : bool
        Whether a smooth warp may follow the affine part.
    through_landmarks : bool
        Whether the finished map is bent through the landmarks; without, they only set its pose, and
        :func:`napari_her2.mapping.refit` can do it later.
    """

    finest_um_per_px: float = 2.0
    largest_px: int = 1200
    angle_step: float = 6.0
    wide_angle_step: float = 7.5
    scales: tuple[float, ...] = (0.7, 0.78, 0.88, 1.13, 1.27, 1.42)
    nonrigid: bool = True
    through_landmarks: bool = True

    def __post_init__(self) -> None:
        for step in (self.angle_step, self.wide_angle_step):
            if step <= 0 or (90 / step) % 1:
                raise ValueError(f"a step of the angle must divide 90, got {step}")
        if self.largest_px < 128 or self.finest_um_per_px <= 0:
            raise ValueError(f"a working image needs at least 128 px and a pixel size, got {self}")
