"""A model whose answer is known, and a device for it."""

from __future__ import annotations

from typing import Any

import numpy as np
from tests.models.small import KINDS, facts

from napari_her2.inference import Device
from napari_her2.models import ModelSpec

CPU = Device(name="cpu", title="CPU", threads=1)


class Darkness:
    """Probability of tumour is how dark a patch or pixel is: known, local, and made by numpy."""

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = spec
        self.sizes: list[int] = []

    def predict(self, batch: np.ndarray) -> np.ndarray:
        self.sizes.append(len(batch))
        dark = 1 - batch.mean(axis=3, dtype=np.float32) / 255
        if self.spec.task != "segment":
            dark = dark.mean(axis=(1, 2))
        return np.stack([1 - dark, dark], axis=1).astype(np.float32)


def darkness(task: str = "classify", **changes: Any) -> ModelSpec:
    """Spec for :class:`Darkness`; it has no file."""
    given = {"name": "darkness", "task": task, "classes": ["light", "dark"], "um_per_px": 0.25}
    if task == "segment":
        given["adapter"] = KINDS["segment"]["adapter"]
    return ModelSpec.model_validate(facts(**(given | changes)))
