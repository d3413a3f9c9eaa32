"""All that was found, as the report has it."""

from __future__ import annotations

import platform
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2 import __version__
from napari_her2.case import Report
from napari_her2.cells import CellSettings
from napari_her2.pipeline.counting import in_doubt, share_not_epithelial
from napari_her2.pipeline.engine import ENGINE_VERSION
from napari_her2.pipeline.limits import unread_qc
from napari_her2.pipeline.patches import UNSURE, patch_counts
from napari_her2.pipeline.scorers import agreements
from napari_her2.pipeline.signatures import last_signature
from napari_her2.pipeline.whites import white_qc
from napari_her2.scoring import apply_rule, coverage_from_areas
from napari_her2.stain import H_DAB
from napari_her2.tissue import tissue_qc
from napari_her2.vocabulary import CELL_CLASSES, DISCLAIMER, SCORES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_her2.case import PatchTable
    from napari_her2.cells import CellTable
    from napari_her2.cells.planes import TileStain
    from napari_her2.pipeline.gate import Gate
    from napari_her2.pipeline.pair import Looks
    from napari_her2.pipeline.pixels import PixelsFound
    from napari_her2.pipeline.run import Run
    from napari_her2.pipeline.stress import Mark
    from napari_her2.pipeline.verdict import Verdict
    from napari_her2.scoring import CellCounts

__all__ = ["Findings", "make_report"]

LIBRARIES: Final = (
    "numpy",
    "scipy",
    "scikit-image",
    "opencv-python-headless",
    "numba",
    "zarr",
    "tifffile",
    "imagecodecs",
    "openslide-python",
)
MODEL_LIBRARIES: Final = ("torch", "timm", "transformers", "safetensors")
STRONGEST_FIRST: Final = ("3+", "2+", "unusual", "1+", "0")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Findings:
    """All that the stages of a run found.

    Attributes
    ----------
    gate : Gate
        With tissue, tumour and mapping.
    stain : TileStain or None
        Of the IHC; None where it shows no tissue.
    cells : CellTable
        With the gate applied.
    patches : mapping of ``he`` and ``ihc`` to PatchTable
    pixels : PixelsFound or None
        None with the classical engine.
    verdict : Verdict
    areas_mm2 : mapping of class to mm²
        Of the territories of evaluable cells.
    looks : Looks
        With what the tissue says of the pixel size.
    edits : tuple of mapping
        Corrections by people that are in these numbers.
    stress : tuple of Mark
        The call under changes of the picture; empty where it was not tested.
    """

    gate: Gate
    stain: TileStain | None
    cells: CellTable
    patches: Mapping[str, PatchTable]
    pixels: PixelsFound | None
    verdict: Verdict
    areas_mm2: Mapping[str, float]
    looks: Looks
    edits: tuple[Mapping[str, Any], ...] = ()
    stress: tuple[Mark, ...] = ()


def make_report(run: Run, found: Findings) -> Report:
    """Put the report together."""
    cells, verdict, mapping = found.cells, found.verdict, found.gate.mapping
    counts = patch_counts(found.patches["ihc"])
    call = {**verdict.call.to_json(), "agreement": verdict.standing.to_json()}
    by_class = cells.counts()
    areas = found.areas_mm2 if found.pixels is None else found.pixels.areas_mm2
    coverage = _rounded(coverage_from_areas(areas), 3)
    return Report.model_validate(
        {
            "her2_status": call.pop("her2_status"),
            "ish": call.pop("ish"),
            "call": call,
            "percent": _rounded(verdict.summary.percent, 4),
            "percent_ci95": {k: _clipped(v) for k, v in verdict.summary.percent_ci95.items()},
            "cells": {
                "evaluable": int(cells.evaluable.sum()),
                "excluded": cells.excluded_counts(),
                "by_class": {name: by_class[name] for name in STRONGEST_FIRST},
                "in_doubt": int(in_doubt(cells, run.cell_settings).sum()),
                "not_epithelial_share": round(share_not_epithelial(cells, found.gate), 4),
            },
            "specimen": run.plan["specimen"] or {},
            "h_score": round(verdict.summary.h_score, 3),
            "coverage": coverage,
            "paper": _paper(counts, coverage),
            "patches": _patches(found.patches, counts),
            "mapping": None if mapping is None else _finite(mapping.report()),
            "unsure_band": _unsure_band(found),
            "agreement": agreements(run, verdict.scores, found.patches["ihc"]),
            "qc": {
                **tissue_qc(found.gate.tissue),
                "stain_drift": _drift(found.stain),
                "unread_stain": unread_qc(found.verdict.unread),
                "white": white_qc(run.plan.slides),
                **_size(found),
            },
            "stress": [{"what": mark.what, "score": mark.score} for mark in found.stress],
            "models": [run.entry(name).spec.facts() for name in run.asked],
            **last_signature(run.said.entries),
            "provenance": {**_provenance(run), "edits": [dict(edit) for edit in found.edits]},
            "disclaimer": DISCLAIMER,
        }
    )


def _rounded(values: Mapping[Any, float], digits: int) -> dict[str, float]:
    return {str(name): round(float(value), digits) for name, value in values.items()}


def _clipped(ends: tuple[float, float]) -> list[float]:
    return [round(float(np.clip(end, 0, 100)), 4) for end in ends]


def _finite(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with what is no number as null."""
    return {k: None if isinstance(v, float) and not np.isfinite(v) else v for k, v in values.items()}


def _paper(counts: CellCounts, coverage: Mapping[str, float]) -> dict[str, Any]:
    call = apply_rule(counts, "paper-max", min_cells=1)
    return {"score": call.score, "coverage": dict(coverage), "n_patches": counts.total}


def _patches(patches: Mapping[str, PatchTable], counts: CellCounts) -> dict[str, Any]:
    he = patches.get("he")
    with_tissue = np.zeros(0, bool) if he is None else he.excluded == ""
    tumour = 0 if he is None else int(np.count_nonzero(with_tissue & (he.tumour_probability >= 0.5)))
    matched = 0 if he is None else int(np.count_nonzero(he.matched_row >= 0))
    n = int(with_tissue.sum())
    score = patches["ihc"].score if "ihc" in patches else np.empty(0, "U2")
    return {
        "he": {"n": n, "tumour": tumour},
        "ihc": {"n": counts.total, "by_score": {s: int(np.count_nonzero(score == s)) for s in SCORES}},
        "matched": matched,
        "unmatched": n - matched,
    }


def _unsure_band(found: Findings) -> dict[str, Any] | None:
    """Return what the scorers saw around the edge of the carried area; None where nothing was carried."""
    if found.gate.area is None:
        return None
    cells, patches, pixels = found.cells, found.patches["ihc"], found.pixels
    of_class = np.bincount(cells.class_code[cells.unsure], minlength=len(CELL_CLASSES))
    answers = np.column_stack([getattr(patches, f"p{k}") for k in range(len(SCORES))])
    answers = answers[(patches.excluded == UNSURE) & np.isfinite(answers).all(axis=1)]
    of_score = np.bincount(answers.argmax(axis=1), minlength=len(SCORES))
    return {
        "cells": dict(zip(CELL_CLASSES, of_class.tolist(), strict=True)),
        "patches": dict(zip(SCORES, of_score.tolist(), strict=True)) if pixels is not None else {},
        "pixels_mm2": {} if pixels is None else _rounded(pixels.unsure_mm2, 6),
    }


def _size(found: Findings) -> dict[str, Any]:
    size = found.looks.size
    return {} if size is None else {"pixel_size": size.to_json()}


def _drift(stain: TileStain | None) -> float | None:
    """Angle in degrees between the slide's stains and the usual ones, the larger of the two."""
    return None if stain is None else round(max(stain.vectors.angles_to(H_DAB)), 2)


def _provenance(run: Run) -> dict[str, Any]:
    slides = [
        {"name": s.name, "sha256": s.sha256, "um_per_px": s.um_per_px, "levels": list(s.levels)}
        for s in run.plan.slides.values()
    ]
    return {
        "slides": slides,
        "settings": {**run.plan.to_json(), **_thresholds(run)},
        "versions": versions(LIBRARIES + (MODEL_LIBRARIES if run.asked else ())),
        "started": run.started,
        "seconds": dict(run.seconds),
        "guided": _guided(run),
    }


def _guided(run: Run) -> dict[str, Any]:
    """Return what a coarse-to-fine run skipped, and what that may have cost."""
    return {name: dict(asked.guided) for name, asked in run.asked.items() if asked.guided is not None}


def _thresholds(run: Run) -> dict[str, Any]:
    """Return the thresholds that control tissue set; nothing where the usual ones hold."""
    usual, own = asdict(CellSettings()), asdict(run.cell_settings)
    changed = {name: round(value, 4) for name, value in own.items() if value != usual[name]}
    return {"cell_thresholds": {"value": changed, "source": "control tissue"}} if changed else {}


def versions(libraries: tuple[str, ...] = LIBRARIES) -> dict[str, str]:
    """Versions of this program, of its engine, of Python and of the libraries that make numbers."""
    found = {"napari-her2": __version__, "engine": str(ENGINE_VERSION), "python": platform.python_version()}
    for name in libraries:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "unknown"
    return found
