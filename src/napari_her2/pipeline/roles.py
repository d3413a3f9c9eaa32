"""Which piece of the IHC is whose: said by a person, or proposed from the H&E."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, cast

from napari_her2.errors import UsageError
from napari_her2.stain import H_DAB, optical_density, unmix
from napari_her2.tissue import propose_roles, with_roles

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from napari_her2.mapping import SlideMapping
    from napari_her2.slides import Slide
    from napari_her2.tissue import Piece, TissueMask
    from napari_her2.vocabulary import Score

__all__ = ["assign_roles"]


def assign_roles(
    ihc: Slide,
    tissue: Mapping[str, TissueMask],
    mapping: SlideMapping | None,
    said: Mapping[str, str] | None,
) -> TissueMask:
    """Give each piece of the IHC its role.

    Parameters
    ----------
    ihc : Slide
    tissue : mapping of ``he`` and ``ihc`` to TissueMask
    mapping : SlideMapping or None
        One that needs review proposes nothing.
    said : mapping of label to role, or None
        What a person said; pieces not named stay as proposed.

    Raises
    ------
    UsageError
        If a label names no piece.
    """
    mask = tissue["ihc"]
    if mapping is not None and not mapping.needs_review and len(mask.piece_list) > 1:
        proposed = propose_roles(tissue["he"], mask, mapping.affine_um, mean_dab=_mean_dab(ihc, mask))
        mask = with_roles(mask, {piece.label: piece for piece in proposed})
    if not said:
        return mask
    pieces = {piece.label: piece for piece in mask.piece_list}
    unknown = [label for label in said if int(label) not in pieces]
    if unknown:
        raise UsageError(f"{ihc.name} has no piece {unknown[0]}, only 1 to {len(pieces)}: correct its number")
    return with_roles(mask, {int(label): _said(pieces[int(label)], role) for label, role in said.items()})


def _said(piece: Piece, words: str) -> Piece:
    role, _, expected = words.partition(" ")
    score = cast("Score", expected or "3+") if role == "control" else None
    named = cast("Literal['patient', 'control', 'duplicate', 'ignore']", role)
    return replace(piece, role=named, expected_score=score, confirmed=True)


def _mean_dab(ihc: Slide, mask: TissueMask) -> dict[int, float]:
    """Mean DAB density of each piece, from the slide's thumbnail."""
    import cv2

    rgb = ihc.thumbnail(2048)
    labels = cv2.resize(mask.pieces, (rgb.shape[1], rgb.shape[0]), interpolation=cv2.INTER_NEAREST)
    dab: np.ndarray[Any, np.dtype[Any]] = unmix(optical_density(rgb, ihc.white), H_DAB)[..., 1]
    return {
        piece.label: float(dab[labels == piece.label].mean())
        for piece in mask.piece_list
        if (labels == piece.label).any()
    }
