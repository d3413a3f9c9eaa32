"""Light and stain: optical density, unmixing into stains, vectors of a slide, which stain a slide has.

All densities are log10: ``OD = -log10(I / white)``. Nothing is clipped at zero, so that noise stays
symmetric and statistics stay unbiased. Only numpy is needed.
"""

from __future__ import annotations

from napari_her2.stain.density import density_table, optical_density, transmit
from napari_her2.stain.guess import StainGuess, guess_stain
from napari_her2.stain.vectors import H_DAB, H_DAB_CAMERA, H_E, StainVectors, estimate_vectors, mix, unmix

__all__ = [
    "H_DAB",
    "H_DAB_CAMERA",
    "H_E",
    "StainGuess",
    "StainVectors",
    "density_table",
    "estimate_vectors",
    "guess_stain",
    "mix",
    "optical_density",
    "transmit",
    "unmix",
]
