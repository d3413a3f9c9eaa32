"""Points that can be found again on both slides, spread over the tissue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_her2.phantom.architecture import TISSUE
from napari_her2.phantom.noise import chance, drawn
from napari_her2.phantom.plan import lying
from napari_her2.phantom.spec import UM_PER_PX

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.phantom.scene import PhantomScene

__all__ = ["landmarks"]

_WANTED = 64


def landmarks(scene: PhantomScene) -> NDArray[np.float64]:
    """H&E points (n, 2) in level-0 px, n about 64, whose tissue is present on both slides.

    They are the points of a jittered grid that lie at least 5 µm inside the tissue of both sections.
    """
    he, ihc = scene.glasses["he"].patient.section, scene.glasses["ihc"].patient.section
    half = np.array(he.plan.half_um)
    for across in range(9, 60):
        steps = np.maximum(np.round(across * half / half.max()), 3).astype(int)
        places = _jittered(half, steps, int(he.plan.seed))
        deep = (lying(he.plan, places)[:, TISSUE] > 5) & (lying(ihc.plan, places)[:, TISSUE] > 5)
        kept = places[deep]
        if scene.spec.faults.no_glass > 0:
            kept = kept[_on_glass(scene, kept)]
        if len(kept) >= _WANTED:
            break
    return he.placement.glass(kept) / UM_PER_PX


def _on_glass(scene: PhantomScene, places: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which places of the tissue lie on both slides, where tissue reaches beyond them."""
    inside = np.ones(len(places), np.bool_)
    for stain in ("he", "ihc"):
        glass = scene.glasses[stain]
        px = glass.patient.section.placement.glass(places) / UM_PER_PX
        box = glass.box(glass.patient)
        inside &= ((px >= 0) & (px < (box.height, box.width))).all(axis=1)
    return inside


def _jittered(half: NDArray[np.float64], steps: NDArray[np.int_], seed: int) -> NDArray[np.float64]:
    cells = [(i, j) for i in range(steps[0]) for j in range(steps[1])]
    draws = [drawn((seed + 17) % 2**64, i, j) for i, j in cells]
    share = np.array(
        [
            (i + 0.2 + 0.6 * chance(b, 1), j + 0.2 + 0.6 * chance(b, 2))
            for (i, j), b in zip(cells, draws, strict=True)
        ]
    )
    return np.asarray((2 * share / steps - 1) * half, np.float64)
