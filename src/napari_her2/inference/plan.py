"""Wishes and reality in, one frozen plan out: the plan is what runs and what the report records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from napari_her2.errors import SlideError, UsageError
from napari_her2.geometry import Box
from napari_her2.models.precision import PRECISIONS
from napari_her2.patches import PatchGrid, ReadPlan, plan_read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from napari_her2.inference.device import Device
    from napari_her2.models import ModelSpec, Precision
    from napari_her2.slides import Slide, SlideRef
    from napari_her2.tissue import TissueMask

__all__ = ["Plan", "PlanWishes", "resolve"]

BATCH_PX: Final = {"cpu": 16 * 224**2, "mps": 64 * 224**2, "cuda": 256 * 224**2}
"""Pixels in a batch: on a CPU small, so that the first result comes soon; it costs no speed."""
BYTES_PER_PX: Final = 1200
"""Memory of a pixel in a batch on an accelerator, generously."""
LEAST_TISSUE: Final = {"classify": 0.5, "ordinal": 0.5, "segment": 0.1}
OVERLAP: Final = {"classify": 0.0, "ordinal": 0.0, "segment": 0.25}
"""Side by side, a segmenter's patches show their edges; a quarter shared hides them (docs/models.md)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanWishes:
    """What a person may ask of a run; None leaves it to the plan.

    Attributes
    ----------
    model : str or None
        Name in the registry or path of a spec; None takes the spec's name.
    region : Box or None
        Level-0 pixels; None is the whole slide.
    overlap : float or None
        Fraction of a patch's side that neighbours share.
    least_tissue : float or None
        Patches with less tissue are left out, where tissue is known.
    precision : {"auto", "float32", "bfloat16", "float16"}
        ``auto`` is float32 on CPU and mps, bfloat16 on cards that compute in it.
    batch_size, threads : int or None
    """

    model: str | None = None
    region: Box | None = None
    overlap: float | None = None
    least_tissue: float | None = None
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    batch_size: int | None = None
    threads: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """Everything that a run needs to know; nothing is decided after it.

    Attributes
    ----------
    spec : ModelSpec
    model : str
        How the registry finds the model.
    slide : SlideRef
    slide_name : str
    region : Box
        Level-0 pixels.
    grid : PatchGrid
    read : ReadPlan
    cells : ndarray of shape (n, 2), int64
        (row, col) in the grid of the patches to run, in order.
    device : str
    precision : {"float32", "bfloat16", "float16"}
    batch_size, threads : int
    """

    spec: ModelSpec
    model: str
    slide: SlideRef
    slide_name: str
    region: Box
    grid: PatchGrid
    read: ReadPlan
    cells: NDArray[np.int64]
    device: str
    precision: Precision
    batch_size: int
    threads: int

    def __len__(self) -> int:
        return len(self.cells)

    def batches(self) -> Iterator[NDArray[np.int64]]:
        """Cells of one batch after the other."""
        for start in range(0, len(self.cells), self.batch_size):
            yield self.cells[start : start + self.batch_size]

    def record(self) -> dict[str, Any]:
        """Return what a report keeps of it: plain values, no paths."""
        return {
            "model": self.spec.name,
            "sha256": self.spec.sha256,
            "slide": self.slide_name,
            "region": list(self.region.xywh),
            "um_per_px": self.grid.um_per_px,
            "size_px": self.grid.size_px,
            "stride_px": self.grid.stride_px,
            "level": self.read.level,
            "patches": len(self),
            "device": self.device,
            "precision": self.precision,
            "batch_size": self.batch_size,
            "threads": self.threads,
        }


def resolve(
    wishes: PlanWishes, slide: Slide, spec: ModelSpec, device: Device, *, tissue: TissueMask | None = None
) -> Plan:
    """Decide how a model runs on a slide; nothing is read and nothing runs.

    Parameters
    ----------
    wishes : PlanWishes
    slide : Slide
    spec : ModelSpec
    device : Device
    tissue : TissueMask, optional
        Patches with too little counted tissue are left out.

    Raises
    ------
    SlideError
        If the slide is too coarse for the model, has no pixel size, or the region is not inside it.
    UsageError
        If a wish is out of range.
    """
    _check(wishes)
    read = plan_read(
        [slide.um_per_px * level.downsample for level in slide.levels],
        spec.um_per_px,
        name=slide.name,
        coarsest_um=spec.coarsest_um_per_px,
    )
    overlap = OVERLAP[spec.task] if wishes.overlap is None else wishes.overlap
    grid = PatchGrid.over(slide, spec.size_px, spec.um_per_px, overlap=overlap)
    region = _region(wishes.region, slide)
    return Plan(
        spec=spec,
        model=wishes.model or spec.name,
        slide=slide.ref,
        slide_name=slide.name,
        region=region,
        grid=grid,
        read=read,
        cells=_cells(grid, region, tissue, _least(wishes, spec)),
        device=device.name,
        precision=_precision(wishes, device),
        batch_size=wishes.batch_size or _batch_size(spec.size_px, device),
        threads=wishes.threads or device.threads,
    )


def _check(wishes: PlanWishes) -> None:
    limits: tuple[tuple[str, float, float], ...] = (
        ("overlap", 0.0, 0.9), ("least_tissue", 0.0, 1.0), ("batch_size", 1, 65536), ("threads", 1, 1024),
    )  # fmt: skip
    for name, low, high in limits:
        value = getattr(wishes, name)
        if value is not None and not low <= value <= high:
            raise UsageError(f"{name} is {value}: choose from {low:g} to {high:g}")
    if wishes.precision not in ("auto", *PRECISIONS):
        raise UsageError(
            f"there is no precision {wishes.precision!r}: choose auto or {', '.join(PRECISIONS)}"
        )


def _region(wish: Box | None, slide: Slide) -> Box:
    whole = Box.of_shape(slide.shape)
    if wish is not None and not whole.contains(wish):
        raise SlideError(
            f"the region {wish.xywh} (x, y, width, height) is not inside {slide.name}, which is "
            f"{whole.width} x {whole.height} px: choose one inside"
        )
    return wish or whole


def _least(wishes: PlanWishes, spec: ModelSpec) -> float:
    return LEAST_TISSUE[spec.task] if wishes.least_tissue is None else wishes.least_tissue


def _cells(grid: PatchGrid, region: Box, tissue: TissueMask | None, least: float) -> NDArray[np.int64]:
    if tissue is None:
        return grid.cells_in(region)
    share = grid.mean_of(tissue.counted.astype(np.float32), tissue.level0_px)
    return grid.cells[grid.touches(region) & (share >= least) & (share > 0)]


def _precision(wishes: PlanWishes, device: Device) -> Precision:
    if wishes.precision != "auto":
        return wishes.precision
    return "bfloat16" if device.kind == "cuda" and device.bfloat16 else "float32"


def _batch_size(size_px: int, device: Device) -> int:
    pixels = BATCH_PX[device.kind]
    if device.free_bytes is not None:
        pixels = min(pixels, device.free_bytes // 2 // BYTES_PER_PX)
    return max(pixels // size_px**2, 1)
