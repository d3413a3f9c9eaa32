"""What scripts/real_validation.py measures beside calls: marked cells, cut points, landmarks, pixel sizes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from cell_marks import MATCH_UM, pair
from cut_points import classed, fit_cuts, kappa
from measure_marks import cells_of_cores, report, summed
from real_pictures import CORE_UM, cores

from napari_her2.slides import open_slide
from napari_her2.tissue import check_size, find_tissue
from napari_her2.vocabulary import SCORES

if TYPE_CHECKING:
    import argparse

    from measure_marks import MarkedCore
    from numpy.typing import NDArray

    from napari_her2.cells import CellTable

ROOT: Final = Path(__file__).resolve().parent.parent
SIZES: Final = (0.7, 1.0, 1.4)
SHARE: Final = 0.1
"""The guideline's share of cells from which a class counts."""


def marks(options: argparse.Namespace) -> None:
    """Cells marked by eye, and cut points carried from cores to marked cells and back."""
    marked = cells_of_cores(options.data, options.engine or "classical", known=options.cells)
    if not marked:
        return
    report(*summed(marked), None)
    print(f"\n{carried(options.data, marked)}")


def carried(data: Path, marked: list[MarkedCore]) -> str:
    """Fit cut points of one number a cell on one source and test them on the other, both ways."""
    truth = {core.path.name: core.truth for core in cores(data) if not core.apart}
    known = [core for core in marked if core.file in truth and core.cells.evaluable.any()]
    score = np.array([SCORES.index(truth[core.file]) for core in known])  # type: ignore[arg-type]
    slide = np.array([exceeded(core.cells) for core in known])
    value, strength = (np.concatenate(column) for column in zip(*map(by_eye, marked), strict=True))
    on_cells = classed(value, fit_cuts(slide, score))
    on_cores = classed(slide, fit_cuts(value, strength))
    within = classed(slide, fit_cuts(slide, score)), classed(value, fit_cuts(value, strength))
    return (
        "One number a cell: completeness times intensity; of a core: what 10 % of its cells exceed.\n\n"
        "| cut points fitted on | tested on | exact | kappa | kappa where fitted |\n"
        "|---|---|--:|--:|--:|\n"
        f"| {len(known)} cores | {len(value)} marked cells | {exact(strength, on_cells)} "
        f"| {kappa(strength, on_cells):.2f} | {kappa(score, within[0]):.2f} |\n"
        f"| {len(value)} marked cells | {len(known)} cores | {exact(score, on_cores)} "
        f"| {kappa(score, on_cores):.2f} | {kappa(strength, within[1]):.2f} |"
    )


def number(cells: CellTable) -> NDArray[np.float64]:
    return np.asarray(cells.completeness, np.float64) * cells.intensity_od


def exceeded(cells: CellTable) -> float:
    return float(np.quantile(number(cells)[cells.evaluable], 1 - SHARE))


def exact(truth: NDArray[np.int64], said: NDArray[np.int64]) -> str:
    return f"{int((truth == said).sum())} of {len(truth)}"


def by_eye(core: MarkedCore) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Number and strength by eye of the epithelial cells that are sure and were found."""
    asked = core.marks.select(core.marks.sure & core.marks.epithelium)
    at, index = pair(asked.points_px, core.cells.points_px, MATCH_UM / CORE_UM)
    return number(core.cells)[index], asked.strength[at]


def registration(options: argparse.Namespace) -> None:
    """The shared pairs of H&E and IHC with landmarks by experts, both ways."""
    if not (options.data / "registration" / "rat-kidney").exists():
        print(f"registration: no pairs under {options.data.name}", file=sys.stderr)
        return
    sys.path.insert(0, str(ROOT / "benchmarks"))
    import registration as benchmark

    print(benchmark.table(list(benchmark.pairs(options))))


def sizes(options: argparse.Namespace) -> None:
    """Whether cores of a wrong pixel size are noticed, and those of the right one are not."""
    noticed = np.zeros(len(SIZES), int)
    pictures = cores(options.data)
    print(f"| core | {' | '.join(f'x {size:g}' for size in SIZES)} |\n|---|{'---|' * len(SIZES)}")
    for core in pictures:
        said = []
        for k, size in enumerate(SIZES):
            with open_slide(core.path, um_per_px=CORE_UM * size) as slide:
                check = check_size(slide, find_tissue(slide))
            noticed[k] += check.doubtful
            low, high = check.suggested_um or (float("nan"), float("nan"))
            said.append(
                f"{'**doubtful**' if check.doubtful else 'fits'}, {low:g} to {high:g} ({check.ruler})"
            )
        print(f"| {core.name} | {' | '.join(said)} |", flush=True)
    each = ", ".join(f"{n} at x {size:g}" for n, size in zip(noticed, SIZES, strict=True))
    print(f"\n- Doubted of {len(pictures)}: {each}.")
