"""Segmentation of a region: stitched from overlapping patches it is what one pass would give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from tests.inference.known import CPU, Darkness, darkness
from tests.models.small import MASKFORMER

from napari_her2.errors import UsageError
from napari_her2.geometry import Box
from napari_her2.inference import PlanWishes, pixel_raster, resolve, run
from napari_her2.patches import Stitcher

if TYPE_CHECKING:
    from napari_her2.slides import Slide


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5])
@pytest.mark.parametrize("region", [None, Box(10, 37, 130, 201), Box(250, 380, 50, 40)])
def test_a_local_model_leaves_no_trace_of_patches(slide: Slide, overlap: float, region: Box | None) -> None:
    plan = resolve(PlanWishes(overlap=overlap, region=region), slide, darkness("segment", size_px=64), CPU)
    got = pixel_raster(plan, run(plan, slide=slide, model=Darkness(plan.spec)))
    whole = 1 - slide.read_level(plan.region, 0).mean(axis=2, dtype=np.float32) / 255
    assert got.shape == (2, plan.region.height, plan.region.width)
    np.testing.assert_allclose(got[1], whole, atol=1e-6)
    np.testing.assert_allclose(got.sum(0), 1, atol=1e-6)


def test_the_raster_has_the_models_pixels(slide: Slide) -> None:
    plan = resolve(PlanWishes(region=Box(0, 0, 300, 420)), slide, darkness("segment", um_per_px=0.5), CPU)
    got = pixel_raster(plan, run(plan, slide=slide, model=Darkness(plan.spec)))
    level = 1 - slide.read_level(Box(0, 0, 150, 210), 1).mean(axis=2, dtype=np.float32) / 255
    np.testing.assert_allclose(got[1], level, atol=1e-6)


def test_what_did_not_run_stays_empty(slide: Slide) -> None:
    plan = resolve(PlanWishes(overlap=0), slide, darkness("segment"), CPU)
    events = run(plan, slide=slide, model=Darkness(plan.spec))
    got = pixel_raster(plan, [next(iter(events))])
    assert np.isfinite(got[:, :32, :32]).all()


def test_slides_are_too_large_to_hold(slide: Slide, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = resolve(PlanWishes(), slide, darkness("segment"), CPU)
    monkeypatch.setattr("napari_her2.inference.gather.MOST_PX", 1000)
    with pytest.raises(UsageError, match="300 x 420 px"):
        pixel_raster(plan, [])


def blobs(rng: np.random.Generator, size_px: int) -> np.ndarray:
    """Grey levels (h, w) in -0.8..0.8; class 1 is where they are above 0."""
    coarse = rng.normal(size=(size_px // 8, size_px // 8)).astype(np.float32)
    fine = cv2.resize(coarse, (size_px, size_px), interpolation=cv2.INTER_CUBIC)
    return np.asarray(0.8 * np.tanh(3 * fine), np.float32)


@pytest.fixture(scope="module")
def trained() -> Any:
    """A small MaskFormer that learned to tell dark from light: seconds, but enough to have seams."""
    import torch

    from napari_her2.models import MaskFormerAdapter
    from napari_her2.models._maskformer import Segmenter

    rng = np.random.default_rng(0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Segmenter(MaskFormerAdapter.model_validate({**MASKFORMER, "queries": 4}), 2, 64).train()
        optimiser = torch.optim.AdamW(network.parameters(), lr=2e-3)
        for _ in range(150):
            seen = np.stack([blobs(rng, 64) for _ in range(2)])
            pixels = torch.from_numpy(seen)[:, None].expand(-1, 3, -1, -1)
            masks = [torch.from_numpy(np.stack([one <= 0, one > 0])).float() for one in seen]
            optimiser.zero_grad()
            network.loss(pixels, masks, [torch.tensor([0, 1])] * 2).backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
    return network.eval()


def predicted(network: Any, image: np.ndarray) -> np.ndarray:
    import torch

    with torch.inference_mode():
        pixels = torch.from_numpy(np.ascontiguousarray(image))[None, None].expand(1, 3, -1, -1)
        return np.asarray(network.probabilities(pixels)[0].numpy())


def stitched(network: Any, image: np.ndarray, stride: int) -> np.ndarray:
    canvas = Stitcher(image.shape, 2, 64)
    for row in range(0, image.shape[0] - 63, stride):
        for col in range(0, image.shape[1] - 63, stride):
            canvas.add(predicted(network, image[row : row + 64, col : col + 64]), row, col)
    return canvas.result()


def roughness_at(raster: np.ndarray, stride: int) -> float:
    """Mean step between columns where patches begin, relative to all others."""
    step = np.abs(np.diff(raster, axis=2)).max(axis=0).mean(axis=0)
    edges = np.arange(stride - 1, raster.shape[2] - 1, stride)
    return float(step[edges].mean() / np.delete(step, edges).mean())


def test_a_maskformers_seams_vanish_with_overlap(trained: Any, record_property: Any) -> None:
    """Its attention and its norms see whole patches, so one large pass is near, but never equal."""
    image = blobs(np.random.default_rng(9), 256)
    single = predicted(trained, image)
    assert ((single.argmax(0) == 1) == (image > 0)).mean() > 0.85
    hard, soft = stitched(trained, image, 64), stitched(trained, image, 48)
    record_property("max_difference", float(np.abs(soft - single).max()))
    assert (soft.argmax(0) == single.argmax(0)).mean() > 0.96
    assert np.abs(soft - single).mean() < np.abs(hard - single).mean() < 0.1
    assert roughness_at(hard, 64) > 3
    assert roughness_at(soft, 48) < 1.6
