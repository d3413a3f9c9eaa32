"""Patches of case bundles: the tumour area that a person confirmed, and the cells as they stand there."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2.case import CaseBundle, find_slide, read_case
from napari_her2.errors import CaseError, UsageError
from napari_her2.geometry import Box, from_xy
from napari_her2.learning.patch import CELL_CODES, HE_CODES, IHC_CODES, UNKNOWN, Patch, truth_of
from napari_her2.learning.recipe import STAINS
from napari_her2.slides import Slide, open_slide

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_her2.learning.recipe import CaseBundles, Recipe, TaskName

    Rings = list[NDArray[np.float64]]

__all__ = ["CasePatch", "case_patches"]

NAMES: Final = {
    "tumor": HE_CODES["invasive"], "tumour": HE_CODES["invasive"], "invasive": HE_CODES["invasive"],
    "in situ": HE_CODES["in_situ"], "ignore": UNKNOWN,
}  # fmt: skip
"""What the names of outlines on the H&E mean; later ones are painted over earlier ones."""
REACH_UM: Final = 7.0
"""A pixel belongs to the nearest cell up to here: about the radius of a tumour cell."""
LEAST_CELLS: Final = 8
MOST_PATCHES: Final = 600
"""Of one case, evenly spread: cases should weigh alike."""


@dataclass(frozen=True, slots=True, eq=False)
class _Facts:
    """What a case says about the pixels of one slide."""

    task: TaskName
    slide: Path
    um_per_px: float | None
    outlines: tuple[tuple[int, Rings], ...] = ()
    cells_px: NDArray[np.float64] | None = None
    codes: NDArray[np.uint8] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class CasePatch:
    """One place of a case's slide."""

    facts: _Facts
    box: Box
    size_px: int
    case: str
    kind: int

    @property
    def name(self) -> str:
        """Case and place."""
        return f"{self.case} at x {self.box.col}, y {self.box.row}"

    def read(self) -> Patch:
        """Read the pixels; the truth comes from the case."""
        slide = _opened(self.facts.slide, self.facts.um_per_px)
        um_per_px = self.box.width * slide.um_per_px / self.size_px
        pixels = _of_size(slide.read_at(self.box, um_per_px), self.size_px)
        labels = _labels(self.facts, self.box, self.size_px, slide.um_per_px)
        truth = truth_of(self.facts.task).of_labels(labels)
        if truth is None:
            raise UsageError(
                f"{self.name} no longer says anything for {self.facts.task}: score the case again"
            )
        return Patch(pixels=pixels, target=truth[0], labels=labels, kind=truth[1], case=self.case)


OPEN_SLIDES: Final = 64
"""Slides that stay open: steps draw from all cases, and opening a slide costs more than reading a patch."""


@lru_cache(maxsize=OPEN_SLIDES)
def _opened(path: Path, um_per_px: float | None) -> Slide:
    return open_slide(path, um_per_px=um_per_px)


def _of_size(pixels: NDArray[np.uint8], size_px: int) -> NDArray[np.uint8]:
    """Repair a pixel too few or too many, which rounding may leave."""
    if pixels.shape[:2] == (size_px, size_px):
        return pixels
    import cv2

    return np.asarray(cv2.resize(pixels, (size_px, size_px), interpolation=cv2.INTER_AREA))


def case_patches(wishes: CaseBundles, recipe: Recipe) -> list[CasePatch]:
    """List the patches of all cases.

    Raises
    ------
    CaseError
        If a folder is no finished case or its slide is not found.
    UsageError
        If a case has nothing to teach.
    """
    found: list[CasePatch] = []
    for folder in wishes.folders:
        case = read_case(folder)
        patches = list(_of_case(case, recipe))
        if not patches:
            raise UsageError(
                f"the case {folder.name} has no patch for {recipe.task}: leave it out of the recipe"
            )
        step = max(1, -(-len(patches) // MOST_PATCHES))
        found += patches[::step]
    return found


def _of_case(case: CaseBundle, recipe: Recipe) -> Iterator[CasePatch]:
    plan = recipe.plan
    facts = _facts(case, recipe.task)
    slide = _opened(facts.slide, facts.um_per_px)
    side = round(plan.size_px * plan.um_per_px / slide.um_per_px)
    for box in _places(facts, slide, side):
        labels = _labels(facts, box, plan.size_px, slide.um_per_px)
        truth = truth_of(recipe.task).of_labels(labels)
        if truth is not None:
            yield CasePatch(facts, box, plan.size_px, case.folder.name, truth[1])


def _facts(case: CaseBundle, task: TaskName) -> _Facts:
    role = STAINS[task]
    entry = case.slide(role)
    path = None if entry is None else find_slide(entry, case.folder)
    if entry is None or path is None:
        raise CaseError(
            f"the {role} slide of the case {case.folder.name} is not found: put it beside the case's folder"
        )
    if task == "tumour":
        return _Facts(task, path, entry.um_per_px, outlines=_confirmed(case))
    cells = case.cells()
    counted = cells.in_tumour & (cells.excluded == 0)
    points = np.column_stack([cells.row_px, cells.col_px])[counted]
    return _Facts(task, path, entry.um_per_px, cells_px=points, codes=CELL_CODES[cells.class_code[counted]])


def _confirmed(case: CaseBundle) -> tuple[tuple[int, Rings], ...]:
    """Outlines on the H&E that a person drew or confirmed: what the program guessed must not teach it."""
    from napari_her2.store import read_json

    path = case.files.annotations
    features = read_json(path).get("features", []) if path.is_file() else []
    outlines = [outline for feature in features for outline in _outlines(feature)]
    outlines += _drawn(case)
    if not any(code == HE_CODES["invasive"] for code, _ in outlines):
        raise UsageError(
            f"the case {case.folder.name} has no confirmed tumour outline on its H&E: draw or confirm one"
        )
    return tuple(outlines)


def _drawn(case: CaseBundle) -> Iterator[tuple[int, Rings]]:
    """Give the areas that people drew or imported on the H&E."""
    from napari_her2.annotation import AreaBook, rings_of

    path = case.files.drawn("he")
    for area in AreaBook(path) if path.is_file() else ():
        if area.name.lower() in NAMES:
            for rings in rings_of(area.shape):
                yield NAMES[area.name.lower()], rings


def _outlines(feature: dict[str, Any]) -> Iterator[tuple[int, Rings]]:
    facts = feature.get("properties") or {}
    named = facts.get("classification")
    name = str(named.get("name", "") if isinstance(named, dict) else named or "").lower()
    geometry = feature.get("geometry") or {}
    if name not in NAMES or facts.get("slide") != "he" or not facts.get("confirmed", True):
        return
    polygons = (
        geometry["coordinates"] if geometry.get("type") == "MultiPolygon" else [geometry["coordinates"]]
    )
    for rings in polygons:
        yield NAMES[name], [from_xy(np.asarray(ring, np.float64)[:, :2]) for ring in rings]


def _places(facts: _Facts, slide: Slide, side: int) -> Iterator[Box]:
    """Places of a grid: on tissue, or with enough cells that count."""
    rows, cols = (size // side for size in slide.shape)
    if rows < 1 or cols < 1:
        return
    boxes = [Box(r * side, c * side, side, side) for r in range(rows) for c in range(cols)]
    if facts.cells_px is not None:
        held = np.zeros((rows, cols), np.intp)
        place = (facts.cells_px // side).astype(np.intp)
        inside = (place >= 0).all(axis=1) & (place < (rows, cols)).all(axis=1)
        np.add.at(held, (place[inside, 0], place[inside, 1]), 1)
        keep = held.ravel() >= LEAST_CELLS
    else:
        from napari_her2.tissue import TISSUE_LABELS, find_tissue

        middles = np.array([box.centre for box in boxes])
        keep = find_tissue(slide).at(middles, slide.um_per_px) == TISSUE_LABELS["tissue"]
    yield from (box for box, kept in zip(boxes, keep, strict=True) if kept)


def _labels(facts: _Facts, box: Box, size_px: int, um_per_px: float) -> NDArray[np.uint8]:
    """Pixel labels of a place, at the model's pixel size."""
    scale = size_px / box.width
    if facts.cells_px is None or facts.codes is None:
        return _painted(facts.outlines, box, size_px, scale)
    reach = REACH_UM / um_per_px
    near = (facts.cells_px > (box.row - reach, box.col - reach)).all(axis=1)
    near &= (facts.cells_px < (box.row_stop + reach, box.col_stop + reach)).all(axis=1)
    if not near.any():
        return np.zeros((size_px, size_px), np.uint8)
    return _territories(
        (facts.cells_px[near] - (box.row, box.col)) * scale, facts.codes[near], size_px, reach * scale
    )


def _territories(
    points: NDArray[np.float64], codes: NDArray[np.uint8], size_px: int, reach_px: float
) -> NDArray[np.uint8]:
    """Give each pixel the class of the nearest cell within reach."""
    from scipy.spatial import cKDTree

    steps = np.arange(size_px) + 0.5
    grid = np.stack(np.meshgrid(steps, steps, indexing="ij"), -1).reshape(-1, 2)
    away, nearest = cKDTree(points).query(grid, distance_upper_bound=reach_px)
    found = np.where(np.isfinite(away), np.append(codes, 0)[nearest], IHC_CODES["background"])
    return np.asarray(found.reshape(size_px, size_px), np.uint8)


def _painted(
    outlines: tuple[tuple[int, Rings], ...], box: Box, size_px: int, scale: float
) -> NDArray[np.uint8]:
    import cv2

    labels = np.zeros((size_px, size_px), np.uint8)
    for code, rings in outlines:
        local = [
            ((ring - (box.row, box.col)) * scale - 0.5)[:, ::-1].round().astype(np.int32) for ring in rings
        ]
        cv2.fillPoly(labels, local, int(code))  # even-odd, so that holes stay free
    return labels
