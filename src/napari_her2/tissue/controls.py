"""How brown each piece of tissue is: what tells a 3+ control from a 0 control at a glance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_her2.geometry import Box
from napari_her2.stain import H_DAB, optical_density, unmix

if TYPE_CHECKING:
    from napari_her2.slides import Slide
    from napari_her2.tissue.mask import TissueMask

__all__ = ["mean_dab"]

_STRIP_PX = 256


def mean_dab(ihc: Slide, mask: TissueMask) -> dict[int, float]:
    """Mean DAB of each piece, for :func:`propose_roles`.

    Parameters
    ----------
    ihc : Slide
    mask : TissueMask
        Of that slide.

    Returns
    -------
    dict of piece label to mean DAB concentration (log10 OD, default vectors) over usable tissue
        At the raster's pixel size, so stroma dilutes it: on twelve phantoms a 3+ control shows 0.45 to 0.64,
        one without membrane staining 0.05 to 0.17.
    """
    n = max((p.label for p in mask.piece_list), default=0) + 1
    total, count = np.zeros(n), np.zeros(n)
    step = round(mask.level0_px)
    for tile in Box.of_shape(mask.labels.shape).tiles(_STRIP_PX):
        wanted = mask.tissue[tile.slices]
        if wanted.any():
            region = Box(tile.row * step, tile.col * step, tile.height * step, tile.width * step)
            rgb = ihc.read_at(region, mask.um_per_px)[wanted]
            dab = unmix(optical_density(rgb, ihc.white), H_DAB)[:, 1]
            labels = mask.pieces[tile.slices][wanted]
            total += np.bincount(labels, weights=dab, minlength=n)
            count += np.bincount(labels, minlength=n)
    return {k: float(total[k] / count[k]) for k in range(1, n) if count[k]}
