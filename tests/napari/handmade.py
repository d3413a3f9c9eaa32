"""A small case made by hand: two slides, a report, cells and a tumour raster of known values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_her2.vocabulary import CELL_CLASSES

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

UM = 0.5
SHAPE = (1536, 2048)
PERCENT = {"3+": 12.4, "2+": 20.0, "unusual": 1.6, "1+": 26.0, "0": 40.0}


def picture(stain: str, shape: tuple[int, int] = SHAPE, seed: int = 1) -> NDArray[np.uint8]:
    """Return something that has the colours of a slide: a round piece of tissue with nuclei."""
    rng = np.random.default_rng(seed)
    rows, cols = np.mgrid[: shape[0], : shape[1]]
    inside = ((rows / shape[0] - 0.5) / 0.42) ** 2 + ((cols / shape[1] - 0.5) / 0.44) ** 2 < 1
    image = np.full((*shape, 3), 243, np.uint8)
    image[inside] = (226, 160, 190) if stain == "he" else (226, 222, 228)
    for row, col in rng.uniform((20, 20), (shape[0] - 20, shape[1] - 20), (1500, 2)):
        at = np.s_[int(row) - 8 : int(row) + 9, int(col) - 8 : int(col) + 9]
        disc = np.hypot(*np.mgrid[-8:9, -8:9])
        here = inside[at]
        if stain == "ihc" and rng.random() < 0.5:
            image[at][here & (disc < 8) & (disc >= 6)] = (120, 72, 40)
        image[at][here & (disc < 5)] = (90, 70, 140) if stain == "he" else (120, 130, 175)
    return image


def write_slide(path: Path, image: NDArray[np.uint8], um_per_px: float | None = UM, levels: int = 3) -> Path:
    """Write a pyramidal, tiled TIFF; without a pixel size if that is None."""
    import tifffile

    res: dict[str, Any] = {"resolution": (0, 0), "resolutionunit": 1}
    if um_per_px is not None:
        res = {"resolution": (1e4 / um_per_px, 1e4 / um_per_px), "resolutionunit": "CENTIMETER"}
    with tifffile.TiffWriter(path) as tif:
        options: dict[str, Any] = {"photometric": "rgb", "tile": (256, 256), "metadata": None}
        tif.write(image, subifds=levels - 1, **options, **res)
        for level in range(1, levels):
            tif.write(image[:: 2**level, :: 2**level], subfiletype=1, **options)
    return path


def report(**call: Any) -> Any:
    """Return a report of a 3+ case; ``call`` replaces fields of the call."""
    from napari_her2.case import Report

    count = {name: round(percent * 10) for name, percent in PERCENT.items()}
    values: dict[str, Any] = {
        "score": "3+",
        "category": "positive",
        "rule": {"name": "asco-cap-breast-2023", "edition": "ASCO/CAP 2018, affirmed 2023"},
        "reason": "12.4 % of 1000 tumour cells have complete, intense membrane staining, more than 10 %.",
        "path": [
            {
                "test": "complete, intense membrane staining in more than 10 % of tumour cells",
                "value": 12.4,
                "threshold": 10.0,
                "holds": True,
            }
        ],
        "flags": ["tumour_unconfirmed", "heterogeneous"],
        "borderline": True,
        "reflex_ish": False,
        "alternatives": {"3+": 0.93, "2+": 0.07, "1+": 0.0, "0": 0.0},
        **call,
    }
    return Report.model_validate(
        {
            "schema": "napari-her2/report/2",
            "call": values,
            "percent": PERCENT,
            "percent_ci95": {name: [max(p - 2.1, 0), p + 2.3] for name, p in PERCENT.items()},
            "cells": {"evaluable": 1000, "excluded": {"unsure_gate": 120, "artefact": 9}, "by_class": count},
            "her2_status": {"3+": "positive", None: "indeterminate"}.get(values["score"], "negative"),
            "h_score": 103.2,
            "coverage": {"0": 40, "1+": 25, "2+": 20, "3+": 15},
            "paper": None,
            "patches": {
                "he": {"n": 10, "tumour": 5},
                "ihc": {"n": 10, "by_score": {"0": 10}},
                "matched": 5,
                "unmatched": 0,
            },
            "mapping": {
                "kind": "affine",
                "residual_um_p50": 6.2,
                "residual_um_p90": 14.8,
                "overlap_fraction": 0.94,
                "min_jacobian": 0.9,
                "injective": True,
                "needs_review": False,
                "reason": "fits",
            },
            "agreement": {},
            "qc": {"tissue_mm2": 0.42, "excluded_mm2": {"pen": 0.0}, "focus": None, "stain_drift": None},
            "provenance": {
                "slides": [],
                "settings": {},
                "versions": {},
                "started": "2026-01-01T00:00:00",
                "seconds": {},
            },
        }
    )


def mapping(affine_um: Any = None, error_um: float = 8.0, **quality: Any) -> Any:
    """Return an affine mapping of the handmade slides with the same error everywhere."""
    from napari_her2.geometry import Affine
    from napari_her2.mapping import MappingQuality, SlideFrame, SlideMapping
    from napari_her2.mapping.frame import Lattice

    frame = SlideFrame(SHAPE, UM)
    trust = Lattice.over(frame.size_um, 64.0, 2)
    values = np.ones_like(trust.values) * (error_um, 1.0)
    facts: dict[str, Any] = {
        "kind": "affine",
        "residual_um_p50": error_um / 2,
        "residual_um_p90": error_um,
        "overlap_fraction": 0.9,
        "min_jacobian": 1.0,
        "needs_review": False,
        "reason": "fits",
        **quality,
    }
    return SlideMapping(
        he=frame,
        ihc=frame,
        affine_um=affine_um or Affine.identity(),
        trust=trust.with_values(values),
        quality=MappingQuality(**facts),
    )


def cells(n: int = 1000, seed: int = 3) -> Any:
    """Return a table of cells with the report's percentages, all evaluable but the last fifty."""
    from napari_her2.cells import CellTable

    rng = np.random.default_rng(seed)
    angle, radius = rng.uniform(0, 2 * np.pi, n + 50), np.sqrt(rng.uniform(0, 1, n + 50))
    where = np.array(SHAPE) * (0.5 + 0.36 * np.column_stack([np.sin(angle), np.cos(angle)]) * radius[:, None])
    code = np.repeat([CELL_CLASSES.index(c) for c in PERCENT], [round(p * n / 100) for p in PERCENT.values()])
    code = np.concatenate([code, np.zeros(n + 50 - len(code), int)]).astype(np.uint8)
    table = CellTable(
        row_px=where[:, 0],
        col_px=where[:, 1],
        class_code=code,
        completeness=rng.uniform(0, 1, n + 50).astype(np.float32),
        intensity_od=rng.uniform(0, 1, n + 50).astype(np.float32),
        membrane_width_um=rng.uniform(0, 2, n + 50).astype(np.float32),
        nucleus_area_um2=np.full(n + 50, 50, np.float32),
        epithelial=np.ones(n + 50, np.float32),
        in_tumour=np.arange(n + 50) < n,
        excluded=np.zeros(n + 50, np.uint8),
        source=np.zeros(n + 50, np.uint8),
    )
    return table


def write_tumour(files: Any, on: str) -> None:
    """Write the tumour raster on one slide and its outline on both."""
    from napari_her2.exchange import Area, write_areas
    from napari_her2.store import write_multiscale

    rows, cols = np.mgrid[: SHAPE[0] // 8, : SHAPE[1] // 8]
    near = 1.2 - np.hypot(rows / (SHAPE[0] / 8) - 0.5, cols / (SHAPE[1] / 8) - 0.5) / 0.36
    raster = np.clip(near, 0, 1).astype(np.float32)
    write_multiscale(files.raster("tumour"), raster, um_per_px=UM * 8, attributes={"slide": on})
    angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    ring = np.array(SHAPE) * (0.5 + 0.25 * np.column_stack([np.sin(angle), np.cos(angle)]))
    write_areas(files.annotations, [Area(outline=ring, name="Tumor", slide=role) for role in {"ihc", on}])


def write_case(folder: Path, he: Path | None, ihc: Path, *, found: bool = True, **call: Any) -> Path:
    """Write a finished case of these slides."""
    from napari_her2.case import CaseFiles, CaseSlide, remember_slide, seal, write_cells

    folder.mkdir(parents=True, exist_ok=True)
    files = CaseFiles(folder)
    files.report.write_text(report(**call).to_json(), encoding="utf-8")
    write_cells(files.cells, cells())
    write_tumour(files, "ihc" if he is None else "he")
    slides = []
    for role, path in (("he", he), ("ihc", ihc)):
        if path is not None:
            slides.append(CaseSlide(role, path.name, f"{role}{folder.name}", UM))
            if found:
                remember_slide(f"{role}{folder.name}", path)
    seal(files, slides, settings={}, others={})
    return folder


def patches(grid: Any, slide: str, **columns: Any) -> Any:
    """Return a table of all patches of a grid, matched with nothing."""
    from napari_her2.case import PatchTable

    (row, col), (y, x), (bottom, right) = grid.cells.T, grid.starts(grid.cells).T, grid.stops(grid.cells).T
    n = len(row)
    nan, none, empty = np.full(n, np.nan), np.full(n, -1), np.full(n, "")
    values: dict[str, Any] = {
        "slide": np.full(n, slide), "row": row, "col": col, "x": x, "y": y, "width": right - x,
        "height": bottom - y, "um_per_px": np.full(n, grid.um_per_px), "tissue_fraction": np.ones(n),
        "tumour_probability": nan, "p0": nan, "p1": nan, "p2": nan, "p3": nan, "score": empty,
        "matched_row": none, "matched_col": none, "residual_um": nan, "excluded": empty, **columns,
    }  # fmt: skip
    return PatchTable.of(**values)
