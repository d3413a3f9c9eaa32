"""Predictions are those of the pixels: batch size, threads, order, tiles of the file and regions change
them by at most 0.02, whatever the model (those of the package as well)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile

from napari_her2.geometry import Box
from napari_her2.inference import (
    BatchDone,
    Device,
    Plan,
    PlanWishes,
    Sample,
    patch_raster,
    pixel_raster,
    resolve,
    run,
)
from napari_her2.models import find_model, list_models
from napari_her2.patches import read_patch
from napari_her2.slides import open_slide

if TYPE_CHECKING:
    from pathlib import Path

    from napari_her2.models import PatchModel
    from napari_her2.slides import Slide

MOST = 0.02
CPU = Device(name="cpu", title="CPU", threads=1)
PACKAGED = [entry.spec.name for entry in list_models() if entry.origin == "packaged"]
WAYS: dict[str, dict[str, Any]] = {
    "one by one": {"batch_size": 1},
    "by five": {"batch_size": 5},
    "all at once": {"batch_size": 64},
    "two threads": {"threads": 2},
}


def stained(side: int, seed: int = 3) -> np.ndarray:
    """Something with the colours of a slide: phantom tissue would take longer, noise is nothing."""
    import cv2

    rng = np.random.default_rng(seed)
    amounts = [
        cv2.GaussianBlur(rng.normal(size=(side, side)).astype(np.float32), (0, 0), 4) for _ in range(2)
    ]
    hues = (np.array([0.65, 0.70, 0.29]), np.array([0.27, 0.57, 0.78]))
    od = sum(np.maximum(a / a.std(), 0)[..., None] * 0.4 * hue for a, hue in zip(amounts, hues, strict=True))
    return np.clip(240 * 10.0**-od, 0, 255).astype(np.uint8)


def written(path: Path, pixels: np.ndarray, tile: int, um_per_px: float) -> Path:
    size = {f"PhysicalSize{a}": um_per_px for a in "XY"} | {f"PhysicalSize{a}Unit": "µm" for a in "XY"}
    with tifffile.TiffWriter(path, ome=True) as tiff:
        tiff.write(pixels, tile=(tile, tile), photometric="rgb", metadata={"axes": "YXS"} | size)
    return path


class Case:
    """A model with slides of the same pixels in tiles of different sizes."""

    def __init__(self, model: PatchModel, folder: Path) -> None:
        spec = model.spec
        self.model = model
        side = round((2.6 if spec.size_px < 512 else 1.6) * spec.size_px)
        pixels = stained(side)
        self.slides = [
            open_slide(written(folder / f"{tile}.ome.tif", pixels, tile, spec.um_per_px))
            for tile in (64, 256)
        ]

    def plan(self, slide: Slide | None = None, **wishes: Any) -> Plan:
        return resolve(PlanWishes(**wishes), slide or self.slides[0], self.model.spec, CPU)

    def answers(self, plan: Plan, slide: Slide | None = None) -> np.ndarray:
        events = list(run(plan, slide=slide or self.slides[0], model=self.model))
        if self.model.spec.task == "segment":
            return np.moveaxis(pixel_raster(plan, events), 0, -1)
        return patch_raster(plan, events)


@pytest.fixture(scope="module", params=["classify", "ordinal", "segment", *PACKAGED])
def case(
    request: pytest.FixtureRequest, random_models: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Any:
    entry = find_model(str(random_models.get(request.param, request.param)))
    made = Case(entry.load(), tmp_path_factory.mktemp("tiles"))
    yield made
    for slide in made.slides:
        slide.close()


@pytest.fixture(scope="module")
def usual(case: Case) -> np.ndarray:
    found = case.answers(case.plan())
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found.sum(-1), 1, atol=1e-5)
    return found


def test_a_model_sees_differences_at_all(case: Case, usual: np.ndarray) -> None:
    """Else the rest would pass for a model that always says the same."""
    assert np.ptp(usual, axis=(0, 1)).max() > 0
    if case.model.spec.name not in PACKAGED:
        assert np.ptp(usual, axis=(0, 1)).max() > 1e-3


@pytest.mark.parametrize("way", WAYS)
def test_batches_and_threads_change_nothing_that_matters(way: str, case: Case, usual: np.ndarray) -> None:
    found = case.answers(case.plan(**WAYS[way]))
    assert np.abs(found - usual).max() <= MOST


def test_features_that_come_with_the_answers_are_the_models_own(case: Case, usual: np.ndarray) -> None:
    plan, slide = case.plan(batch_size=3, threads=2), case.slides[0]
    sample = Sample(plan.cells[::2])
    events = list(run(plan, slide=slide, model=case.model, sample=sample))
    for event in events:
        if isinstance(event, BatchDone):
            assert (event.features is not None) == sample.wants(event.cells).any()
            if event.features is not None:
                sample.keep(event.cells, event.features)
    assert not len(sample.missing)
    patches = np.stack([read_patch(slide, plan.grid, plan.read, row, col) for row, col in sample.cells])
    alone = np.concatenate([case.model.features(patch[None]) for patch in patches])
    # Patches in one call and alone round differently; a segmenter's decoder adds up most.
    assert np.abs(sample.features - alone).max() <= 1e-3 * np.abs(alone).max()
    if case.model.spec.task != "segment":
        assert np.abs(patch_raster(plan, events) - usual).max() <= MOST


def test_order_changes_nothing_that_matters(case: Case, usual: np.ndarray) -> None:
    plan = case.plan()
    found = case.answers(replace(plan, cells=plan.cells[::-1].copy()))
    assert np.abs(found - usual).max() <= MOST


def test_tiles_of_the_file_change_nothing(case: Case, usual: np.ndarray) -> None:
    other = case.slides[1]
    np.testing.assert_array_equal(case.answers(case.plan(other), other), usual)


def test_a_region_is_what_it_is_in_the_whole(case: Case, usual: np.ndarray) -> None:
    side = case.model.spec.size_px
    region = Box(side // 2, side // 4, side, side)
    plan = case.plan(region=region)
    found = case.answers(plan)
    if case.model.spec.task == "segment":
        part = usual[region.row : region.row_stop, region.col : region.col_stop]
        assert np.abs(found - part).max() <= MOST
        return
    assert 0 < len(plan) < len(case.plan())
    ran = np.isfinite(found).all(axis=-1)
    assert ran.sum() == len(plan)
    assert np.abs(found[ran] - usual[ran]).max() <= MOST


def test_bands_of_the_pipeline_are_the_stitched_whole(case: Case, usual: np.ndarray) -> None:
    """What is written band by band is the class of the blended whole, pooled as the raster is."""
    from napari_her2.pipeline.bands import Bands

    if case.model.spec.task != "segment":
        pytest.skip("patches are not stitched")
    plan = case.plan()
    bands = Bands(plan.grid, case.model.spec)
    factor = round(bands.um_per_px / plan.grid.um_per_px)
    labels = np.full(bands.shape, 255, np.uint8)
    for event in run(plan, slide=case.slides[0], model=case.model):
        if isinstance(event, BatchDone):
            for (row, col), patch in zip(event.cells, event.probabilities, strict=True):
                for top, left, band in bands.add(int(row), int(col), bands.pooled(patch)):
                    labels[top : top + band.shape[0], left : left + band.shape[1]] = band
    for top, left, band in bands.rest():
        labels[top : top + band.shape[0], left : left + band.shape[1]] = band
    assert (labels < 255).all()
    rows, cols = (n // factor for n in usual.shape[:2])
    blocks = usual[: rows * factor, : cols * factor].reshape(rows, factor, cols, factor, -1).mean((1, 3))
    best = np.sort(blocks, axis=-1)
    clear = best[..., -1] - best[..., -2] > 2 * MOST
    same = labels[:rows, :cols] == blocks.argmax(-1)
    assert same[clear].mean() > 0.999
    assert clear.mean() > 0.2 or case.model.spec.name not in PACKAGED
