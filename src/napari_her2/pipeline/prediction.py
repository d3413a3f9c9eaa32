"""One model over one slide or region: a folder with a table or raster, finished when its record is there."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2.case import key_of, write_table
from napari_her2.errors import CaseError, UsageError
from napari_her2.events import Notice, Progress
from napari_her2.inference import PlanWishes, pick_device, resolve
from napari_her2.models import expected_score, find_model
from napari_her2.pipeline.asking import Asking, ready
from napari_her2.pipeline.engine import check_serves, model_facts
from napari_her2.pipeline.keeping import CHANGES_NOTHING, RUNNING, kept_answers
from napari_her2.pipeline.segmentation import write_segmentation
from napari_her2.slides import open_slide
from napari_her2.store import (
    FolderLock,
    read_json,
    sha256_of,
    writable_folder,
    write_json,
    write_multiscale,
)
from napari_her2.tissue import find_tissue
from napari_her2.vocabulary import DISCLAIMER

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_her2.events import Steps
    from napari_her2.inference import Plan, Sample
    from napari_her2.models import ModelEntry
    from napari_her2.slides import Slide

__all__ = ["PREDICTION_SCHEMA", "PredictRequest", "predict_slide"]

PREDICTION_SCHEMA: Final = "napari-her2/prediction/1"
RECORD: Final = "prediction.json"
LOCK: Final = ".prediction.lock"
TABLE: Final = "patches.parquet"
RASTERS: Final = "rasters"


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictRequest:
    """One model over one slide.

    Attributes
    ----------
    slide : Path
    model : str
        Name in the registry, or path of a spec.
    out : Path
        Folder for the result; made if needed.
    um_per_px : float or None
        Where the file states none or a wrong one.
    device : str
    wishes : PlanWishes
        Region, overlap, least tissue, precision, batch size, threads. With a least tissue of 0 the
        tissue is not looked for and every patch runs.
    """

    slide: Path
    model: str
    out: Path
    um_per_px: float | None = None
    device: str = "auto"
    wishes: PlanWishes = field(default_factory=PlanWishes)


def predict_slide(request: PredictRequest) -> Steps[dict[str, Any]]:
    """Run a model over a slide or region and write what it says.

    The folder gets ``patches.parquet`` and ``rasters/label.zarr`` (a pixel per patch), or
    ``rasters/segmentation.zarr`` for a model of pixels, and last of all ``prediction.json``: a folder
    without it is not finished. An equal run is returned at once; one that was stopped goes on where it was,
    from what it kept in ``running``.

    Yields
    ------
    Progress, Notice

    Returns
    -------
    dict
        The content of ``prediction.json``.

    Raises
    ------
    Her2Error
        If slide, model, device or folder cannot be used.
    """
    entry = find_model(request.model)
    with ExitStack() as stack:
        slide = stack.enter_context(open_slide(request.slide, um_per_px=request.um_per_px))
        check_serves(entry.spec, slide)
        _check_folder(request.out)
        out = writable_folder(request.out)
        stack.enter_context(FolderLock(out / LOCK, out.name))
        plan = yield from _planned(request, entry, slide)
        facts = _facts(plan, slide, entry)
        finished = _finished(out, facts)
        if finished is not None:
            return finished
        _withdraw(out)
        began = perf_counter()
        asking = ready(entry, plan, slide)
        sample, pixels = asking.sample(plan.cells), entry.spec.task == "segment"
        counts = yield from (_pixels if pixels else _patches)(asking, out, sample)
        asked = asking.asked(sample)
        if asked.unlike:
            yield Notice(
                f"{slide.name} looks unlike what {entry.spec.name} was trained on: look at the result."
            )
        record = {
            **facts,
            "asked": asked.to_json(),
            **counts,
            "files": _hashes(out),
            "seconds": round(perf_counter() - began, 3),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "disclaimer": DISCLAIMER,
        }
        write_json(out / RECORD, record)
        shutil.rmtree(out / RUNNING, ignore_errors=True)
        return record


def _planned(request: PredictRequest, entry: ModelEntry, slide: Slide) -> Steps[Plan]:
    tissue = None
    if request.wishes.least_tissue != 0:
        yield Progress("tissue", 0, 1, "slides")
        tissue = find_tissue(slide)
    device = pick_device(request.device)
    return resolve(
        request.wishes, slide, entry.spec, device, tissue=tissue, weights_bytes=entry.weights_bytes
    )


def _facts(plan: Plan, slide: Slide, entry: ModelEntry) -> dict[str, Any]:
    """Return what the result depends on; how many patches go at once changes nothing that matters."""
    record = {name: value for name, value in plan.record().items() if name not in CHANGES_NOTHING}
    of_slide = {"name": slide.name, "sha256": slide.sha256(), "um_per_px": slide.um_per_px}
    key = key_of({"plan": record, "slide": of_slide["sha256"], "model": model_facts(entry.spec)})
    return {
        "schema": PREDICTION_SCHEMA,
        "key": key,
        "slide": of_slide,
        "model": entry.spec.facts(),
        "task": entry.spec.task,
        "classes": list(entry.spec.classes),
    }


def _check_folder(out: Path) -> None:
    """Refuse a folder with files that are not of a prediction."""
    if out.is_dir() and any(out.iterdir()) and not ((out / LOCK).exists() or (out / RECORD).exists()):
        raise UsageError(f"{out.name} holds files that are not of a prediction: choose another with --out")


def _finished(out: Path, facts: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the record of an equal run, if all its files are still what they were."""
    if not (out / RECORD).is_file():
        return None
    try:
        record: dict[str, Any] = read_json(out / RECORD)
        same = record["key"] == facts["key"] and record["files"] == _hashes(out)
    except (CaseError, KeyError, TypeError):
        return None
    return record if same else None


def _withdraw(out: Path) -> None:
    (out / RECORD).unlink(missing_ok=True)
    (out / TABLE).unlink(missing_ok=True)
    shutil.rmtree(out / RASTERS, ignore_errors=True)


def _hashes(out: Path) -> dict[str, str]:
    paths = [path for path in (out / TABLE, *sorted((out / RASTERS).glob("*.zarr"))) if path.exists()]
    return {path.relative_to(out).as_posix(): sha256_of(path) for path in paths}


def _patches(asking: Asking, out: Path, sample: Sample | None) -> Steps[dict[str, Any]]:
    """Write a row and a raster pixel for each patch."""
    plan, spec = asking.plan, asking.entry.spec
    found = yield from kept_answers(asking, out / RUNNING, "predict", sample)
    probabilities = found[plan.cells[:, 0], plan.cells[:, 1]]
    label = probabilities.argmax(axis=1) if len(plan) else np.zeros(0, np.int64)
    write_table(out / TABLE, _columns(plan, probabilities, label))
    facts = {"slide": spec.stain, "method": spec.name, "size_um": plan.grid.size_um}
    labels = np.zeros(plan.grid.shape, np.uint8)
    labels[plan.cells[:, 0], plan.cells[:, 1]] = label + 1
    step_um = plan.grid.stride_px * plan.grid.um_per_px
    names = {k + 1: (name, _grey(k, len(spec.classes))) for k, name in enumerate(spec.classes)}
    path = out / RASTERS / "label.zarr"
    write_multiscale(path, labels, um_per_px=step_um, labels=names, attributes=facts)
    value, shown = _shown(found, spec.task)
    write_multiscale(out / RASTERS / f"{value}.zarr", shown, um_per_px=step_um, attributes=facts)
    by_class = np.bincount(label, minlength=len(spec.classes))
    return {"patches": {name: int(n) for name, n in zip(spec.classes, by_class, strict=True)}}


def _shown(found: NDArray[np.float32], task: str) -> tuple[str, NDArray[np.float32]]:
    """Return the one value of a patch that is worth a picture; 0 where nothing ran."""
    value = expected_score(found) if task == "ordinal" else found[..., -1]
    name = "expected_score" if task == "ordinal" else "probability"
    return name, np.nan_to_num(np.asarray(value, np.float32))


def _columns(plan: Plan, probabilities: NDArray[np.float32], label: NDArray[np.int64]) -> dict[str, Any]:
    starts, stops = plan.grid.starts(plan.cells), plan.grid.stops(plan.cells)
    (y, x), (height, width) = starts.T, (stops - starts).T
    n = len(plan)
    return {
        "slide": np.full(n, plan.spec.stain), "row": plan.cells[:, 0], "col": plan.cells[:, 1],
        "x": x, "y": y, "width": width, "height": height, "um_per_px": np.full(n, plan.grid.um_per_px),
        **{f"p_{name}": probabilities[:, k] for k, name in enumerate(plan.spec.classes)},
        "label": np.array(plan.spec.classes)[label] if n else np.zeros(0, "U1"),
    }  # fmt: skip


def _grey(k: int, classes: int) -> str:
    level = 230 - round(200 * k / max(classes - 1, 1))
    return f"#{level:02X}{level:02X}{level:02X}"


def _pixels(asking: Asking, out: Path, sample: Sample | None) -> Steps[dict[str, Any]]:
    """Write the label of each pixel, blended over patches."""
    spec = asking.entry.spec
    path = out / RASTERS / "segmentation.zarr"
    found = yield from write_segmentation(asking, path, stage="predict", place=out / RUNNING, sample=sample)
    mm2 = found.um_per_px**2 / 1e6
    return {"area_mm2": {name: round(float(found.pixels[k]) * mm2, 6) for k, name in enumerate(spec.classes)}}
