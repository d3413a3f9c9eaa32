"""A known polygon with a hole, off the pixel grid, and how far another one is from it."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_her2.cells import CellTable
from napari_her2.exchange import Area

OUTLINE = np.array(
    [[80_100.25, 100.5], [80_100.25, 900.75], [80_420.5, 1210.125], [80_700.0, 700.0], [80_640.0, 95.5]]
)
HOLE = np.array([[80_300.5, 400.5], [80_300.5, 500.5], [80_400.5, 450.0]])


def known(**changes: Any) -> Area:
    values: dict[str, Any] = {
        "outline": OUTLINE,
        "holes": (HOLE,),
        "name": "Tumor",
        "slide": "ihc",
        "properties": {"method": "person", "confirmed": True, "piece": 3},
        "measurements": {"Area mm^2": 0.0213},
        "feature_id": "7f1d1e6c-77ad-4f0c-8c54-3a3f3f5f0e11",
        "title": "left margin",
    }
    return Area(**{**values, **changes})


def worst_px(area: Area, expected: Area) -> float:
    """Hausdorff distance of the outlines and of the holes."""
    from shapely import LinearRing

    pairs = [
        (area.outline, expected.outline),
        *zip(area.holes, expected.holes, strict=True),
    ]
    return max(LinearRing(a).hausdorff_distance(LinearRing(b)) for a, b in pairs)


def some_cells(n: int = 500, seed: int = 1) -> CellTable:
    rng = np.random.default_rng(seed)
    return CellTable.of(
        row_px=rng.uniform(80_000, 81_000, n),
        col_px=rng.uniform(0, 1500, n),
        class_code=rng.integers(0, 5, n),
        completeness=rng.random(n),
        intensity_od=rng.random(n),
        membrane_width_um=rng.uniform(0, 2, n),
        nucleus_area_um2=rng.uniform(20, 90, n),
        epithelial=rng.random(n),
        in_tumour=rng.random(n) < 0.8,
        excluded=rng.choice([0, 0, 0, 3, 8], n),
    )
