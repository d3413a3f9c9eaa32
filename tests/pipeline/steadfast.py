"""Networks that always give one answer, so that what the pipeline makes of answers is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from tests.models.small import KINDS, facts

from napari_her2.models import (
    ModelSpec,
    ReferenceFile,
    build_network,
    fit_reference,
    save_weights,
    write_reference,
    write_spec,
)

if TYPE_CHECKING:
    from pathlib import Path

SURE = 12.0
SIZES: dict[str, dict[str, Any]] = {
    "classify": {"name": "steady-tumour", "um_per_px": 1.0},
    "ordinal": {"name": "steady-stain", "um_per_px": 2.0},
    "segment": {"name": "steady-segment", "um_per_px": 0.5},
}


def steadfast(folder: Path, task: str, answer: int, **changes: Any) -> Path:
    """Write a small model that answers with class ``answer`` everywhere; return the path of its spec."""
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    spec = ModelSpec.model_validate(facts(**(KINDS[task] | SIZES[task] | changes)))
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(3)
        network: Any = build_network(spec)
        _settle(network, task, answer)
    weights = f"{spec.name}.safetensors"
    sha256 = save_weights(network, folder / weights, "float32")
    spec = spec.model_copy(update={"weights": weights, "sha256": sha256})
    write_spec(spec, folder / f"{spec.name}.json")
    return folder / f"{spec.name}.json"


def _settle(network: Any, task: str, answer: int) -> None:
    """Let the head forget its input."""
    if task == "segment":
        head = network.core.class_predictor
        head.weight.zero_()
        head.bias.fill_(-SURE)
        head.bias[answer] = SURE
        return
    if task == "ordinal":
        head = network.head.classes
        network.head.score.weight.zero_()
        network.head.gaps.fill_(-SURE)  # all thresholds alike: below 0 all, or above it all
        network.head.first.fill_(SURE if answer == head.out_features - 1 else -SURE)
    else:
        head = network.head
    head.weight.zero_()
    head.bias.fill_(-SURE)
    head.bias[answer] = SURE


def with_reference(path: Path, *, familiar: bool) -> Path:
    """Give a model a reference that every patch is like, or that none is."""
    from napari_her2.models import read_spec

    spec = read_spec(path)
    width = 24
    rng = np.random.default_rng(0)
    wide, far = (1e6, 0.0) if familiar else (1e-3, 1e3)
    near = far + wide * rng.normal(size=(400, width))
    name = f"{spec.name}.reference.safetensors"
    sha256 = write_reference(fit_reference(near[:200], near[200:]), path.parent / name)
    write_spec(spec.model_copy(update={"reference": ReferenceFile(file=name, sha256=sha256)}), path)
    return path
