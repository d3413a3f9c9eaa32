"""A small slide, and models that need no training: one whose answer is known, and random networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
import tifffile
from tests.models.small import KINDS, facts

from napari_her2.models import ModelSpec, build_network, save_weights, write_spec
from napari_her2.slides import open_slide

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_her2.slides import Slide


@pytest.fixture(scope="session")
def slide_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 x 420 px at 0.25 µm/px, two levels, soft blobs of colour."""
    rng = np.random.default_rng(7)
    coarse = rng.uniform(30, 240, (12, 16, 3)).astype(np.float32)
    full = np.clip(cv2.resize(coarse, (420, 300), interpolation=cv2.INTER_CUBIC), 0, 255).astype(np.uint8)
    path = tmp_path_factory.mktemp("slide") / "small.ome.tif"
    size = {f"PhysicalSize{a}": 0.25 for a in "XY"} | {f"PhysicalSize{a}Unit": "µm" for a in "XY"}
    how: dict[str, Any] = {"tile": (64, 64), "photometric": "rgb"}
    with tifffile.TiffWriter(path, ome=True) as tiff:
        tiff.write(full, subifds=1, metadata={"axes": "YXS"} | size, **how)
        half = cv2.resize(full, (210, 150), interpolation=cv2.INTER_AREA)
        tiff.write(half, subfiletype=1, **how)
    return path


@pytest.fixture
def slide(slide_path: Path) -> Iterator[Slide]:
    with open_slide(slide_path) as opened:
        yield opened


def _enliven(network: Any, nn: Any) -> None:
    """Let outputs differ from patch to patch and pixel to pixel: as made, they hardly do."""
    for name, parameter in network.named_parameters():
        if name.startswith("head.") and name.endswith("weight"):
            nn.init.normal_(parameter, std=0.5)
        elif "class_predictor.weight" in name or "mask_embedder" in name:
            nn.init.normal_(parameter, std=0.3)


@pytest.fixture(scope="session")
def random_models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Specs of small random networks by task."""
    import torch

    found = {}
    for task, changes in KINDS.items():
        folder = tmp_path_factory.mktemp(task)
        spec = ModelSpec.model_validate(facts(**changes))
        with torch.random.fork_rng():
            torch.manual_seed(5)
            network = build_network(spec)
            _enliven(network, torch.nn)
        sha256 = save_weights(network, folder / spec.weights, "float32")
        write_spec(spec.model_copy(update={"sha256": sha256}), folder / "spec.json")
        found[task] = folder / "spec.json"
    return found
