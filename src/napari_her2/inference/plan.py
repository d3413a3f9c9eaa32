"""Wishes and reality in, one frozen plan out: the plan is what runs and what the report records."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from napari_her2.errors import SlideError, UsageError
from napari_her2.geometry import Box
from napari_her2.models.precision import PRECISIONS
from napari_her2.patches import PatchGrid, ReadPlan, plan_read
from napari_her2.threads import cores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.inference.device import Device
    from napari_her2.models import ModelSpec, Precision
    from napari_her2.slides import Slide, SlideRef
    from napari_her2.tissue import TissueMask

__all__ = ["Plan", "PlanWishes", "resolve"]

BATCH_PX: Final = {"cpu": 8 * 224**2, "mps": 64 * 224**2, "cuda": 256 * 224**2}
"""Pixels in a batch, on a CPU for each worker and one more: small, so that results come soon and a run stops
soon; it costs no speed."""
LIGHT_BYTES: Final = 16 * 2**20
"""Weights of a model that computes fast enough for that; heavier ones get smaller batches on a CPU."""
CARD_READERS: Final = 16
BY_AUTOCAST: Final = ("timm", "maskformer")
"""Models of others (TorchScript, ONNX) run as they are, unless a precision is asked for."""
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
        ``auto`` is bfloat16 where the device computes in it and the model allows it, else float32; whether
        answers stay the same is seen when the model is loaded (:func:`load_planned`).
    batch_size : int or None
        Patches that may be at work at once, over all workers: what a kill can cost.
    threads : int or None
        Workers on a CPU.
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
    batch_size : int
        Patches that may be predicted and not yet handed over.
    threads : int
        Workers on a CPU, each computing on one core.
    readers : int
        Threads that read and decode.
    also : tuple of str
        Further devices that share the work.
    on_trial : bool
        The precision was not asked for and is still to be compared with float32.
    precision_change : float or None
        Largest difference of a probability from float32 on a sample, where they were compared.
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
    readers: int = 1
    also: tuple[str, ...] = ()
    on_trial: bool = False
    precision_change: float | None = None

    def __len__(self) -> int:
        return len(self.cells)

    @property
    def devices(self) -> tuple[str, ...]:
        """All that share the work."""
        return (self.device, *self.also)

    @property
    def workers(self) -> int:
        """Threads that ask the model: two for a card, so that one's patches travel while it computes."""
        each = {"cpu": self.threads, "cuda": 2 * len(self.devices)}
        return each.get(self.device.partition(":")[0], 1)

    @property
    def slots(self) -> int:
        """Calls of the model that a batch is spread over: one for each worker, and one being written."""
        return self.workers + 1 if self.workers > 1 else 1

    @property
    def call_size(self) -> int:
        """Patches in each call of the model; the same for the whole run, and every worker gets some."""
        n = max(len(self.cells), 1)
        most = max(self.batch_size // self.slots, 1)
        calls = max(math.ceil(n / most), min(self.workers, n))
        return math.ceil(n / calls)

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
            "precision_change": self.precision_change,
            "batch_size": self.batch_size,
            "threads": self.threads,
        }


def resolve(
    wishes: PlanWishes,
    slide: Slide,
    spec: ModelSpec,
    device: Device,
    *,
    tissue: TissueMask | None = None,
    weights_bytes: int | None = None,
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
    weights_bytes : int, optional
        Size of the weights: heavy models get smaller batches on a CPU.

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
    threads = wishes.threads or device.threads
    precision = _precision(wishes, device, spec)
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
        precision=precision,
        batch_size=wishes.batch_size or _batch_size(spec.size_px, device, threads, weights_bytes),
        threads=threads,
        readers=threads if device.kind == "cpu" else min(cores(), CARD_READERS),
        also=device.also,
        on_trial=wishes.precision == "auto" and precision != "float32",
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


def _precision(wishes: PlanWishes, device: Device, spec: ModelSpec) -> Precision:
    if wishes.precision != "auto":
        return wishes.precision
    return "bfloat16" if device.bfloat16 and spec.adapter.kind in BY_AUTOCAST else "float32"


def _batch_size(size_px: int, device: Device, threads: int, weights_bytes: int | None) -> int:
    pixels = BATCH_PX[device.kind]
    if device.kind == "cpu":
        pixels = int(pixels * min(LIGHT_BYTES / max(weights_bytes or 1, 1), 1.0)) * (threads + 1)
    if device.free_bytes is not None:
        pixels = min(pixels, device.free_bytes // 2 // BYTES_PER_PX)
    return max(pixels // size_px**2, 1)
