"""The correspondence of two slides: points there and back, how far to trust it, and where."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from napari_her2.mapping.trust import FAR_UM

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

    from napari_her2.geometry import Affine
    from napari_her2.mapping.flow import Flow
    from napari_her2.mapping.frame import Lattice, SlideFrame

__all__ = ["MappingQuality", "Side", "SlideMapping"]

Side = Literal["he", "ihc"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingQuality:
    """How good a mapping is, in the words of the report.

    Attributes
    ----------
    kind : str
        ``"rigid"``, ``"affine"`` or ``"nonrigid"``.
    residual_um_p50, residual_um_p90 : float
        Estimated error of the mapping over the shared tissue, µm.
    overlap_fraction : float
        Shared tissue over the smaller of the two tissues, 0 to 1.
    min_jacobian : float
        Least determinant over the whole H&E image, times the sign of the affine part; > 0 = no fold.
    injective : bool
        Whether the matching of patches built on it is one to one.
    needs_review : bool
        Whether a person should look before anything is concluded.
    reason : str
        One sentence: why it needs review, or what the trust rests on.
    """

    kind: str
    residual_um_p50: float
    residual_um_p90: float
    overlap_fraction: float
    min_jacobian: float
    injective: bool = True
    needs_review: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SlideMapping:
    """H&E ↔ IHC, both ways, in level-0 pixels (row, col) of each slide.

    ``ihc_um = affine_um(flow(he_um))``.

    Attributes
    ----------
    he, ihc : SlideFrame
        Sizes of the two slides.
    affine_um : Affine
        The affine part, H&E µm → IHC µm.
    flow : Flow or None
        The smooth part, in the H&E's µm; None where the mapping is rigid or affine.
    trust : Lattice
        Over the H&E, (rows, cols, 2): local error (p90, µm), and 1 where both slides have tissue.
    quality : MappingQuality
    """

    he: SlideFrame
    ihc: SlideFrame
    affine_um: Affine
    flow: Flow | None = None
    trust: Lattice
    quality: MappingQuality

    def he_to_ihc(self, points_px: ArrayLike) -> NDArray[np.float64]:
        """Carry points (n, 2) of the H&E to the IHC."""
        return self.ihc.to_px(self.he_to_ihc_um(self.he.to_um(points_px)))

    def ihc_to_he(self, points_px: ArrayLike) -> NDArray[np.float64]:
        """Carry points (n, 2) of the IHC to the H&E."""
        return self.he.to_px(self.ihc_to_he_um(self.ihc.to_um(points_px)))

    def he_to_ihc_um(self, points_um: NDArray[np.float64]) -> NDArray[np.float64]:
        """Like :meth:`he_to_ihc`, in µm."""
        return self.affine_um(points_um if self.flow is None else self.flow(points_um))

    def ihc_to_he_um(self, points_um: NDArray[np.float64]) -> NDArray[np.float64]:
        """Like :meth:`ihc_to_he`, in µm."""
        straight = self.affine_um.inverse(points_um)
        return straight if self.flow is None else self.flow.inverse(straight)

    def carry(self, points_px: ArrayLike, side: Side) -> NDArray[np.float64]:
        """Carry points (n, 2) from ``side`` to the other slide."""
        return self.he_to_ihc(points_px) if side == "he" else self.ihc_to_he(points_px)

    def inside(self, points_px: ArrayLike, side: Side = "ihc") -> NDArray[np.bool_]:
        """Whether points (n, 2) of ``side`` lie in the tissue that both slides share (to a cell or two)."""
        he_um, ihc_um = self._both_um(points_px, side)
        shared: NDArray[np.bool_] = self.trust.linear_at(he_um)[:, 1] >= 0.5
        return shared & self.he.contains_um(he_um) & self.ihc.contains_um(ihc_um)

    def error_um(self, points_px: ArrayLike, side: Side = "ihc") -> NDArray[np.float64]:
        """Local error of points (n, 2) of ``side``, µm: nine in ten true errors are below it.

        Outside the overlap it is at least :data:`~napari_her2.mapping.trust.FAR_UM`.
        """
        near = self.local_error_um(points_px, side)
        return np.where(self.inside(points_px, side), near, np.maximum(near, FAR_UM))

    def local_error_um(self, points_px: ArrayLike, side: Side = "ihc") -> NDArray[np.float64]:
        """Like :meth:`error_um`, without the step at the edge of the overlap."""
        he_um, _ = self._both_um(points_px, side)
        return self.trust.linear_at(he_um)[:, 0]

    def _both_um(self, points_px: ArrayLike, side: Side) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        if side == "he":
            he_um = self.he.to_um(points_px)
            return he_um, self.he_to_ihc_um(he_um)
        ihc_um = self.ihc.to_um(points_px)
        return self.ihc_to_he_um(ihc_um), ihc_um

    @property
    def mirrored(self) -> bool:
        """Whether one slide lies face down."""
        return self.affine_um.determinant < 0

    @property
    def kind(self) -> str:
        """``"rigid"``, ``"affine"`` or ``"nonrigid"``."""
        return self.quality.kind

    @property
    def residual_um_p50(self) -> float:
        """Median estimated error, µm."""
        return self.quality.residual_um_p50

    @property
    def residual_um_p90(self) -> float:
        """Estimated error that nine in ten places stay below, µm."""
        return self.quality.residual_um_p90

    @property
    def overlap_fraction(self) -> float:
        """Shared tissue over the smaller tissue."""
        return self.quality.overlap_fraction

    @property
    def min_jacobian(self) -> float:
        """Least determinant times the sign of the affine part."""
        return self.quality.min_jacobian

    @property
    def injective(self) -> bool:
        """Whether the matching of patches is one to one."""
        return self.quality.injective

    @property
    def needs_review(self) -> bool:
        """Whether a person should look first."""
        return self.quality.needs_review

    @property
    def reason(self) -> str:
        """Why it needs review, or what the trust rests on."""
        return self.quality.reason

    @property
    def flags(self) -> tuple[str, ...]:
        """Flags for the call."""
        return ("needs_review",) if self.needs_review else ()

    def report(self) -> dict[str, object]:
        """Return the fields of the report's ``mapping``."""
        return asdict(self.quality)

    def reviewed(self, reason: str) -> SlideMapping:
        """Return the same mapping, marked for review because of ``reason``."""
        return replace(self, quality=replace(self.quality, needs_review=True, reason=reason))

    def save(self, path: str | Path) -> None:
        """Write ``mapping.json`` and its field beside it; see :func:`napari_her2.mapping.save_mapping`."""
        from napari_her2.mapping.stored import save_mapping

        save_mapping(self, path)

    @staticmethod
    def load(path: str | Path) -> SlideMapping:
        """Read what :meth:`save` wrote; see :func:`napari_her2.mapping.load_mapping`."""
        from napari_her2.mapping.stored import load_mapping

        return load_mapping(path)
