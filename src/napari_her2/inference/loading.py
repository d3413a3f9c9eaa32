"""Models ready for a plan, at a precision that changes nothing that matters."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.errors import ModelError
from napari_her2.inference.device import using_threads
from napari_her2.inference.line import said_first
from napari_her2.models import find_model
from napari_her2.patches import read_patch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.inference.plan import Plan
    from napari_her2.models import ModelEntry, PatchModel, Precision
    from napari_her2.slides import Slide

__all__ = ["MOST_CHANGE", "load_planned"]

MOST_CHANGE: Final = 0.02
"""Of a probability, for a precision to be taken for equal to float32."""
SAMPLE_PX: Final = 8 * 224**2
MOST_SAMPLE: Final = 16
"""Pixels and patches looked at when precisions are compared."""


def load_planned(
    plan: Plan, slide: Slide, entry: ModelEntry | None = None
) -> tuple[Plan, tuple[PatchModel, ...]]:
    """Load the model of a plan onto its devices and settle the precision.

    A precision that nobody asked for is compared with float32 on a sample of the plan's patches. Where a
    probability changes by more than 0.02, or the device cannot compute so, float32 is taken.

    Parameters
    ----------
    plan : Plan
    slide : Slide
    entry : ModelEntry, optional
        By default it is found under the plan's name.

    Returns
    -------
    tuple of Plan and tuple of PatchModel
        The plan with the precision that will run; a model for each of its devices.

    Raises
    ------
    ModelError
        If it is not the model that was planned, or cannot be used.
    SlideError
        If a tile of the sample cannot be read.
    """
    entry = entry or find_model(plan.model)
    if entry.spec.sha256 != plan.spec.sha256:
        raise ModelError(
            f"{plan.spec.name} is not the model that was planned, its weights differ: plan again"
        )
    exact: PatchModel | None = None
    if plan.on_trial and len(plan):
        exact = _loaded(entry, plan.device, "float32")
        change = _change(plan, slide, exact, entry)
        fits = change is not None and change <= MOST_CHANGE
        plan = replace(
            plan,
            precision=plan.precision if fits else "float32",
            precision_change=None if change is None else float(f"{change:.2g}"),
        )
    first = exact if exact is not None and plan.precision == "float32" else None
    models = [
        first if first is not None and k == 0 else _loaded(entry, device, plan.precision)
        for k, device in enumerate(plan.devices)
    ]
    return replace(plan, on_trial=False), tuple(models)


def _loaded(entry: ModelEntry, device: str, precision: Precision) -> PatchModel:
    try:
        return entry.load(device=device, precision=precision)
    except RuntimeError as error:
        raise ModelError(
            f"{entry.spec.name} cannot be loaded on {device} ({said_first(error)}): try cpu"
        ) from error


def _change(plan: Plan, slide: Slide, exact: PatchModel, entry: ModelEntry) -> float | None:
    """Largest difference of a probability on a sample; None where the device fails at the precision."""
    n = min(max(SAMPLE_PX // plan.grid.size_px**2, 2), MOST_SAMPLE, len(plan))
    chosen = np.unique(np.linspace(0, len(plan) - 1, n).round().astype(np.intp))
    batch = np.stack([read_patch(slide, plan.grid, plan.read, row, col) for row, col in plan.cells[chosen]])
    try:
        with using_threads(plan.threads):
            one = exact.predict(batch)
            other = entry.load(device=plan.device, precision=plan.precision).predict(batch)
    except RuntimeError:
        return None
    return _largest(one, other)


def _largest(one: NDArray[np.float32], other: NDArray[np.float32]) -> float | None:
    away = np.abs(one - other).max()
    return float(away) if np.isfinite(away) else None
