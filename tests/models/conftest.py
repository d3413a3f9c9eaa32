"""Small random models on disk; torch comes in once for all tests of the room."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.models.small import KINDS, facts

from napari_her2.models import ModelSpec, Places, write_spec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """Empty folders, with a packaged one that exists."""
    made = Places.under(tmp_path / "places")
    made.packaged.mkdir(parents=True)
    return made


@pytest.fixture
def write_model(tmp_path: Path) -> Callable[..., tuple[ModelSpec, Path]]:
    """Write random weights and their spec; give changes to the facts and a seed."""

    def write(task: str = "classify", *, seed: int = 0, **changes: Any) -> tuple[ModelSpec, Path]:
        import torch

        from napari_her2.models import build_network, save_weights

        folder = tmp_path / f"source-{task}-{seed}"
        folder.mkdir(exist_ok=True)
        spec = ModelSpec.model_validate(facts(**(KINDS[task] | changes)))
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            network = build_network(spec)
        sha256 = save_weights(network, folder / spec.weights, "float32")
        spec = spec.model_copy(update={"sha256": sha256})
        write_spec(spec, folder / "spec.json")
        return spec, folder

    return write


@pytest.fixture
def batch() -> Callable[[int, int], np.ndarray]:
    """Random patches."""

    def make(n: int, size_px: int, seed: int = 0) -> np.ndarray:
        return np.random.default_rng(seed).integers(0, 256, (n, size_px, size_px, 3), np.uint8)

    return make
