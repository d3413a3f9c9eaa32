"""When a person should look first, and why."""

from __future__ import annotations

from dataclasses import dataclass

from napari_her2.mapping.slide_mapping import MappingQuality

__all__ = ["Evidence", "judged"]

# Set on 44 true pairs (turned, mirrored, scaled, cropped, pale, warped; phantoms) and 92 false ones
# (other tissue, other phantoms, halves that do not meet); docs/registration.md has the table.
_LEAST_MARGIN = 0.28
_LEAST_AGREEING = 0.15
_LEAST_SUM = 0.62
_LEAST_OVERLAP = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a finished map has to show.

    Attributes
    ----------
    margin : float
        Lead of the pose over the next best one.
    support : float
        See :func:`napari_her2.mapping.compare.support`.
    agreeing : float
        Share of blocks that match best where they lie.
    overlap_fraction : float
    min_jacobian : float
    p50_um, p90_um : float
        Estimated error.
    diagonal_um : float
        Of the IHC.
    """

    margin: float
    support: float
    agreeing: float
    overlap_fraction: float
    min_jacobian: float
    p50_um: float
    p90_um: float
    diagonal_um: float


def judged(kind: str, evidence: Evidence) -> MappingQuality:
    """Put the evidence into the words of the report."""
    doubts = _doubts(evidence)
    trusted = (
        f"{evidence.agreeing:.0%} of the blocks agree, the next best pose is {evidence.margin:.0%} worse"
    )
    return MappingQuality(
        kind=kind,
        residual_um_p50=evidence.p50_um,
        residual_um_p90=evidence.p90_um,
        overlap_fraction=evidence.overlap_fraction,
        min_jacobian=evidence.min_jacobian,
        needs_review=bool(doubts),
        reason="; ".join(doubts) if doubts else trusted,
    )


def _doubts(evidence: Evidence) -> list[str]:
    doubts = []
    if evidence.margin < _LEAST_MARGIN or evidence.margin + evidence.agreeing < _LEAST_SUM:
        doubts.append(f"another pose fits almost as well (lead {evidence.margin:.0%})")
    if evidence.agreeing < _LEAST_AGREEING:
        doubts.append(f"only {evidence.agreeing:.0%} of the blocks agree")
    if evidence.overlap_fraction < _LEAST_OVERLAP:
        doubts.append(f"the tissues share only {evidence.overlap_fraction:.0%}")
    if evidence.min_jacobian <= 0:
        doubts.append("the map folds")
    return doubts
