"""Where to look: tissue, artefacts, pieces on the glass, and a classical estimate of the tumour area."""

from __future__ import annotations

from napari_her2.tissue.controls import mean_dab
from napari_her2.tissue.find import find_tissue
from napari_her2.tissue.glance import off_glass
from napari_her2.tissue.mask import TISSUE_LABELS, Piece, Role, TissueMask, with_roles
from napari_her2.tissue.pieces import find_pieces, propose_roles
from napari_her2.tissue.qc import TissueQc, tissue_qc
from napari_her2.tissue.raster import CLASSICAL, PERSON, TumourRaster, tumour_from_polygons
from napari_her2.tissue.rgb import tissue_from_rgb
from napari_her2.tissue.ruler import SizeCheck, check_size
from napari_her2.tissue.tumour import tumour_region

__all__ = [
    "CLASSICAL",
    "PERSON",
    "TISSUE_LABELS",
    "Piece",
    "Role",
    "SizeCheck",
    "TissueMask",
    "TissueQc",
    "TumourRaster",
    "check_size",
    "find_pieces",
    "find_tissue",
    "mean_dab",
    "off_glass",
    "propose_roles",
    "tissue_from_rgb",
    "tissue_qc",
    "tumour_from_polygons",
    "tumour_region",
    "with_roles",
]
