"""What is asked of the benchmarks, what they answer, and the machine they ran on."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_her2 import __version__
from napari_her2.threads import allowed_cores

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["BenchWishes", "Verdict", "machine"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchWishes:
    """What a person may ask of the benchmarks.

    Attributes
    ----------
    only : tuple of str
        Names; none means all.
    size_px : int
        Side of the slide of P1, P2, P3, P6 and P7.
    phantom_um : float
        Side of the phantom pair of P8 and of the phantom of P9.
    he : Path or None
        Slide for P2, in place of the one that is made for it, and for P6, beside those.
    repeat : int
        Interleaved runs of which medians are taken.
    model : str
        Of patches of H&E.
    device, precision : str
    work : Path
        For slides and results; what is there is used again.
    """

    only: tuple[str, ...] = ()
    size_px: int = 4096
    phantom_um: float = 2000.0
    he: Path | None = None
    repeat: int = 3
    model: str = "tumour-tiny"
    device: str = "auto"
    precision: str = "auto"
    work: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One benchmark.

    Attributes
    ----------
    value : float or None
        The figure that has a budget; None where it could not be taken.
    unit : str
        What the figure is.
    budget : float
    at_least : bool
        Whether the figure must reach the budget; else it must stay below.
    details : dict
        Plain values: floors, medians, sizes.
    """

    value: float | None
    unit: str
    budget: float
    at_least: bool
    details: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        met = None
        if self.value is not None:
            met = self.value >= self.budget if self.at_least else self.value <= self.budget
        budget = f"{'>=' if self.at_least else '<='} {self.budget:g}"
        value = None if self.value is None else float(f"{self.value:.4g}")
        return {"value": value, "unit": self.unit, "budget": budget, "met": met, **self.details}


def machine(device: str) -> dict[str, Any]:
    """Describe the machine, without names of people or hosts."""
    from importlib.metadata import version

    from napari_her2.inference import pick_device

    found = pick_device(device)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "version": __version__,
        "system": platform.system(),
        "processor": _processor(),
        "cores": allowed_cores(),
        "load_before": None if load is None else round(load, 2),
        "python": platform.python_version(),
        "torch": version("torch"),
        "device": {
            "name": found.name,
            "title": found.title,
            "threads": found.threads,
            "also": list(found.also),
        },
        "bfloat16": found.bfloat16,
    }


def _processor() -> str:
    from pathlib import Path

    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())
