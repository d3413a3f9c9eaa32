from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from napari_her2.cells import CellSettings, CellTable, find_unread
from napari_her2.cells.lattice import with_lattice_cells
from napari_her2.cells.nuclei import Nuclei, find_nuclei
from napari_her2.cells.planes import TileStain
from napari_her2.slides import open_slide
from napari_her2.stain import H_DAB_CAMERA, mix, transmit
from napari_her2.tissue import TissueMask, find_tissue

UM = 0.5
WEAK_OD = 0.11
STEP_UM = 12.0


def honeycomb(
    side_px: int = 240, line_od: float = 0.8, body_od: float = 0.25
) -> tuple[np.ndarray, np.ndarray]:
    """DAB of a lattice of membranes, and the middles of its cells in pixels."""
    step = STEP_UM / UM
    rows = np.arange(step, side_px - step / 2, step)
    cols = np.arange(step, side_px - step, step)
    middles = np.array([(r, c + (i % 2) * step / 2) for i, r in enumerate(rows) for c in cols])
    places = np.stack(np.mgrid[:side_px, :side_px], axis=-1)
    near, _ = cKDTree(middles).query(places, k=2)
    wall = np.exp(-0.5 * ((near[..., 1] - near[..., 0]) * UM / 2 / 0.5) ** 2)
    inside = (places[..., 0] < side_px - step / 2) & (near[..., 0] < step)
    return np.where(inside, body_od + line_od * wall, 0).astype(np.float32), middles


def none_found(shape: tuple[int, ...]) -> Nuclei:
    flat = np.zeros(shape, np.float32)
    return find_nuclei(flat, flat, UM, 0.15)


def test_cells_are_found_where_dab_drowns_every_nucleus() -> None:
    brown, middles = honeycomb()
    blue = -0.2 * brown
    found = with_lattice_cells(none_found(brown.shape), (blue, brown), UM, WEAK_OD, 1.0)
    inner = ((middles > 2 * STEP_UM / UM) & (middles < 240 - 2 * STEP_UM / UM)).all(axis=1)
    away, _ = cKDTree(found.centres()).query(middles[inner])
    assert (away * UM < 3).mean() > 0.9
    assert len(found) <= 1.1 * len(middles)
    assert np.isnan(found.area_um2).all()
    assert set(np.unique(found.labels)) == set(range(len(found) + 1))


@pytest.mark.parametrize(
    ("line_od", "body_od"), [(0.0, 0.25), (0.0, 0.0), (0.8, 0.0)], ids=["blush", "glass", "fat or lumens"]
)
def test_no_cell_without_a_ring_or_as_pale_as_glass(line_od: float, body_od: float) -> None:
    brown, _ = honeycomb(line_od=line_od, body_od=body_od)
    brown[brown < 0.02] = 0
    assert len(with_lattice_cells(none_found(brown.shape), (0 * brown, brown), UM, WEAK_OD, 1.0)) == 0


def test_a_cell_with_a_nucleus_counts_once() -> None:
    brown, middles = honeycomb()
    places = np.stack(np.mgrid[:240, :240], axis=-1)
    far, _ = cKDTree(middles).query(places)
    blue = np.where(far * UM < 3, 0.6, 0.0).astype(np.float32)
    nuclei = find_nuclei(blue, brown, UM, 0.15)
    assert len(nuclei) > 0.9 * len(middles)
    assert len(with_lattice_cells(nuclei, (blue, brown), UM, WEAK_OD, 1.0)) <= 1.03 * len(nuclei)


def test_stain_without_cells_is_unread(tmp_path) -> None:
    import cv2

    brown, middles = honeycomb()
    density = mix(np.stack([np.zeros_like(brown), brown, np.zeros_like(brown)], axis=-1), H_DAB_CAMERA)
    rgb = np.rint(transmit(density, (250.0, 250.0, 250.0))).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "lattice.png"), rgb[..., ::-1])
    stain = TileStain(white=(250.0, 250.0, 250.0))
    with open_slide(tmp_path / "lattice.png", um_per_px=UM) as slide:
        mask: TissueMask = find_tissue(slide)
        none = find_unread(slide, stain, CellSettings(), mask, CellTable.empty())
        n = len(middles)
        counted = CellTable.of(
            row_px=middles[:, 0], col_px=middles[:, 1], class_code=np.full(n, 3), completeness=np.ones(n),
            intensity_od=np.ones(n), membrane_width_um=np.ones(n), nucleus_area_um2=np.full(n, 40),
            epithelial=np.ones(n), in_tumour=np.ones(n, bool), excluded=np.zeros(n),
        )  # fmt: skip
        read = find_unread(slide, stain, CellSettings(), mask, counted)
    assert none.share == 1.0
    assert none.per_mm2 > 50_000
    assert read.share < 0.1
