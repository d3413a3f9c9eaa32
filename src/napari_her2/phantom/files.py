"""The files of a phantom's folder, in the order in which they are written; truth.json comes last."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_her2.events import Progress, StageDone
from napari_her2.geometry import to_xy
from napari_her2.phantom.glass import TILE
from napari_her2.phantom.landmarks import landmarks
from napari_her2.phantom.layout import KINDS
from napari_her2.phantom.rasters import LabelPyramid
from napari_her2.phantom.scene import PhantomScene, counts_by_class
from napari_her2.phantom.spec import UM_PER_PX
from napari_her2.phantom.truth import RULE_NAME, PhantomTruth
from napari_her2.phantom.writer import SlideFile, write_slide
from napari_her2.vocabulary import CELL_CLASSES, COLOURS, RASTER_LABELS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_her2.events import Steps
    from napari_her2.phantom.glass import Piece
    from napari_her2.phantom.layout import Cells
    from napari_her2.phantom.spec import PhantomSpec, Stain
    from napari_her2.phantom.tiles import Tile
    from napari_her2.phantom.truth import Rule

__all__ = ["write_phantom"]


def write_phantom(spec: PhantomSpec, out: Path, rule: Rule, workers: int) -> Steps[PhantomTruth]:
    """Write everything; see :func:`napari_her2.phantom.render_phantom`."""
    for stale in ("truth.json",):
        (out / stale).unlink(missing_ok=True)
    scene = PhantomScene(spec)
    yield from _slide(scene, "he", out, lambda row, col: scene.tile("he", row, col).pixels, workers)
    rasters = _Rasters(scene, out)

    def draw(row: int, col: int) -> NDArray[np.uint8] | None:
        tile = scene.tile("ihc", row, col)
        rasters.take(row, col, tile)
        return tile.pixels

    yield from _slide(scene, "ihc", out, draw, workers)
    rasters.finish()
    counts = _write_cells(scene, out / "truth_cells.parquet")
    _write_landmarks(scene, out / "truth_landmarks.csv")
    total = max(sum(counts.values()), 1)
    percent = {key: 100.0 * count / total for key, count in counts.items()}
    truth = PhantomTruth(folder=out, score=rule(counts), counts=counts, percent=percent)
    _write_json(scene, truth, out / "truth.json")
    return truth


def _slide(
    scene: PhantomScene,
    stain: Stain,
    out: Path,
    draw: Callable[[int, int], NDArray[np.uint8] | None],
    workers: int,
) -> Steps[None]:
    started = time.monotonic()
    shape = scene.shape(stain)
    file = SlideFile(
        out / f"{stain}.ome.tif", shape, UM_PER_PX, scene.lights[stain].quality, scene.white(stain)
    )
    total = -(-shape[0] // TILE) * -(-shape[1] // TILE)
    for done in write_slide(file, draw, workers):
        yield Progress(f"draw {stain}", done, total)
    yield StageDone(f"draw {stain}", time.monotonic() - started)


class _Rasters:
    """Both truth rasters while the IHC slide is drawn, at 0.5 µm/px."""

    def __init__(self, scene: PhantomScene, out: Path) -> None:
        self._scene = scene
        shape = tuple(max(side // 2, 1) for side in scene.shape("ihc"))
        classes: dict[str, tuple[int, str | None]] = {
            name: (value, COLOURS.get(name)) for name, value in RASTER_LABELS.items() if value
        }
        where: dict[str, tuple[int, str | None]] = {"tumour": (1, COLOURS["tumour"])}
        um = 2 * UM_PER_PX
        self._segmentation = LabelPyramid(out / "truth_segmentation.zarr", (shape[0], shape[1]), um, classes)
        self._tumour = LabelPyramid(out / "truth_tumour.zarr", (shape[0], shape[1]), um, where)

    def take(self, row: int, col: int, tile: Tile) -> None:
        """Label the quarter-size tile: territories by class, and invasive tumour."""
        if tile.owner is None or tile.cells is None or len(tile.cells) == 0:
            return
        piece = self._scene.glasses["ihc"].piece_at(col)
        codes = self._scene.classify(piece, tile.cells)
        counts = counted(piece, tile.cells)
        lookup = np.array([RASTER_LABELS[name] for name in CELL_CLASSES], np.uint8)
        by_cell = np.where(counts, lookup[codes], RASTER_LABELS["unsure"])
        owner = tile.owner[1::2, 1::2]
        place = row // TILE, col // TILE
        self._segmentation.put(*place, np.concatenate([[0], by_cell]).astype(np.uint8)[owner])
        self._tumour.put(*place, np.concatenate([[0], counts]).astype(np.uint8)[owner])

    def finish(self) -> None:
        """Make the coarser levels."""
        self._segmentation.finish()
        self._tumour.finish()


def counted(piece: Piece, cells: Cells) -> NDArray[np.bool_]:
    """Which cells count: invasive, and in the patient's piece."""
    mask: NDArray[np.bool_] = (cells.kind == KINDS["invasive"]) & (piece.role == "patient")
    return mask


def _write_cells(scene: PhantomScene, path: Path) -> dict[str, int]:
    """Write the table of carcinoma cells; returns the counts per class of those that count."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from napari_her2.phantom.membranes import COMPLETENESS, membranes_of

    parts, counts = [], {}
    for piece in scene.glasses["ihc"].pieces:
        cells = scene.cells(piece)
        codes = scene.classify(piece, cells)
        places = to_xy(scene.cells_px(piece, cells))
        valid = counted(piece, cells)
        if piece.role == "patient":
            counts = counts_by_class(codes[valid])
        names = pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int8)), pa.array(list(CELL_CLASSES)))
        columns = {
            "x": places[:, 0],
            "y": places[:, 1],
            "class": names.cast(pa.string()),
            "completeness": membranes_of(codes, cells.bits)[:, COMPLETENESS],
            "in_tumour": valid,
        }
        parts.append(pa.table(columns))
    pq.write_table(pa.concat_tables(parts), path)
    return counts


def _write_landmarks(scene: PhantomScene, path: Path) -> None:
    he = landmarks(scene)
    table = np.hstack([to_xy(he), to_xy(scene.he_to_ihc(he))])
    lines = ["he_x,he_y,ihc_x,ihc_y"] + [",".join(f"{value:.3f}" for value in row) for row in table]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _write_json(scene: PhantomScene, truth: PhantomTruth, path: Path) -> None:
    glass = scene.glasses["ihc"]
    pieces = [
        {"role": piece.role, "box_xywh": list(glass.box(piece).xywh), "expected": piece.expected}
        for piece in glass.pieces
    ]
    placement = scene.glasses["ihc"].patient.section.placement
    content: dict[str, Any] = {
        "schema": "napari-her2/phantom/1",
        "score": truth.score,
        "percent": truth.percent,
        "counts": truth.counts,
        "rule": RULE_NAME,
        "seed": scene.spec.seed,
        "parameters": {**asdict(scene.spec), "mix": scene.spec.percent, "size_um": list(scene.spec.size_um)},
        "um_per_px": UM_PER_PX,
        "pieces": pieces,
        "controls": [piece for piece in pieces if piece["role"] == "control"],
        "ihc_to_flat_he_um": placement.affine.matrix.tolist(),
        "disclaimer": "Synthetic tissue. For research use only; not for diagnosis.",
    }
    temporary = path.with_suffix(".part")
    temporary.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    temporary.replace(path)
