"""The files of a phantom's folder, in the order in which they are written; truth.json comes last."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_her2.events import Progress, StageDone
from napari_her2.geometry import to_xy
from napari_her2.phantom.glass import TILE
from napari_her2.phantom.landmarks import landmarks
from napari_her2.phantom.layout import KINDS
from napari_her2.phantom.membranes import COMPLETENESS, membranes_of
from napari_her2.phantom.scene import PhantomScene, counts_by_class
from napari_her2.phantom.spec import MIX_KEYS, UM_PER_PX
from napari_her2.phantom.truth import RULE_NAME, PhantomTruth
from napari_her2.phantom.writer import SlideFile, write_slide
from napari_her2.store import MultiscaleWriter, replacing, write_json
from napari_her2.vocabulary import CELL_CLASSES, COLOURS, RASTER_LABELS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pyarrow as pa
    from numpy.typing import NDArray

    from napari_her2.events import Steps
    from napari_her2.phantom.glass import Piece
    from napari_her2.phantom.layout import Cells
    from napari_her2.phantom.spec import PhantomSpec, Stain
    from napari_her2.phantom.tiles import Tile
    from napari_her2.phantom.truth import Rule

    Labels = NDArray[np.uint8]

__all__ = ["write_phantom"]

_GREY = "#808080"
_HALF = TILE // 2


def write_phantom(spec: PhantomSpec, out: Path, rule: Rule, workers: int) -> Steps[PhantomTruth]:
    """Write everything; see :func:`napari_her2.phantom.render_phantom`."""
    (out / "truth.json").unlink(missing_ok=True)
    scene = PhantomScene(spec)
    yield from _slide(scene, "he", out, lambda row, col: scene.tile("he", row, col).pixels, workers)
    yield from _ihc_with_labels(scene, out, workers)
    counts = _write_cells(scene, out / "truth_cells.parquet")
    _write_landmarks(scene, out / "truth_landmarks.csv")
    total = max(sum(counts.values()), 1)
    percent = {key: 100.0 * count / total for key, count in counts.items()}
    truth = PhantomTruth(folder=out, score=rule(counts), counts=counts, percent=percent)
    write_json(out / "truth.json", _stated(scene, truth))
    return truth


def _slide(
    scene: PhantomScene,
    stain: Stain,
    out: Path,
    draw: Callable[[int, int], NDArray[np.uint8] | None],
    workers: int,
) -> Steps[None]:
    """Draw and write one slide; it appears under its name when it is complete."""
    started = time.monotonic()
    shape = scene.shape(stain)
    total = -(-shape[0] // TILE) * -(-shape[1] // TILE)
    with replacing(out / f"{stain}.ome.tif") as path:
        file = SlideFile(
            path=path,
            name=f"{stain}.ome.tif",
            shape_px=shape,
            um_per_px=UM_PER_PX,
            quality=scene.lights[stain].quality,
            white=scene.white(stain),
        )
        for done in write_slide(file, draw, workers):
            yield Progress(f"draw {stain}", done, total)
    yield StageDone(f"draw {stain}", time.monotonic() - started)


def _ihc_with_labels(scene: PhantomScene, out: Path, workers: int) -> Steps[None]:
    """Draw the IHC slide and both truth rasters at 0.5 µm/px in one pass."""
    shape = tuple(-(-side // 2) for side in scene.shape("ihc"))
    classes = {value: (name, COLOURS.get(name, _GREY)) for name, value in RASTER_LABELS.items() if value}
    tumour = {1: ("tumour", COLOURS["tumour"])}
    bands = _Bands(scene, (shape[0], shape[1]))
    _ = scene.cuts  # once, before threads ask for it

    def draw(row: int, col: int) -> NDArray[np.uint8] | None:
        tile = scene.tile("ihc", row, col)
        bands.take(row, col, tile)
        return tile.pixels

    with ExitStack() as stack:
        writers = [
            stack.enter_context(
                MultiscaleWriter(out / name, (shape[0], shape[1]), um_per_px=0.5, labels=labels)
            )
            for name, labels in (("truth_segmentation.zarr", classes), ("truth_tumour.zarr", tumour))
        ]
        for event in _slide(scene, "ihc", out, draw, workers):
            yield event
            bands.store(writers, event)


class _Bands:
    """Labels of tiles until two rows of tiles are complete, which make one row of stored chunks."""

    def __init__(self, scene: PhantomScene, shape: tuple[int, int]) -> None:
        self._scene, self._shape = scene, shape
        self._tiles: dict[tuple[int, int], tuple[Labels, Labels]] = {}
        self._stored = 0

    def take(self, row: int, col: int, tile: Tile) -> None:
        """Keep the labels of a tile: territories by class, and invasive tumour."""
        if tile.owner is None or tile.cells is None or len(tile.cells) == 0:
            return
        piece = self._scene.glasses["ihc"].piece_at(col)
        codes = self._scene.classify(piece, tile.cells)
        counts = counted(piece, tile.cells)
        lookup = np.array([RASTER_LABELS[name] for name in CELL_CLASSES], np.uint8)
        by_cell = np.where(counts, lookup[codes], RASTER_LABELS["unsure"])
        owner = tile.owner[1::2, 1::2]
        segmentation = np.concatenate([[0], by_cell]).astype(np.uint8)[owner]
        self._tiles[row // TILE, col // TILE] = (
            segmentation,
            np.concatenate([[0], counts]).astype(np.uint8)[owner],
        )

    def store(self, writers: list[MultiscaleWriter], event: object) -> None:
        """Write what is complete after an event of the drawing."""
        down = -(-self._shape[0] // _HALF)
        across = -(-self._shape[1] // _HALF)
        rows = event.done // across if isinstance(event, Progress) else down
        while self._stored < down and (rows >= self._stored + 2 or rows >= down):
            for k, writer in enumerate(writers):
                writer.write(self._stored * _HALF, 0, self._band(self._stored, k))
            for place in [place for place in list(self._tiles) if place[0] < self._stored + 2]:
                del self._tiles[place]
            self._stored += 2

    def _band(self, first: int, k: int) -> Labels:
        """Two rows of tiles, cut to the raster."""
        band = np.zeros((2 * _HALF, -(-self._shape[1] // _HALF) * _HALF), np.uint8)
        # Other threads add later tiles meanwhile, so the loop runs over a copy.
        for (row, col), labels in list(self._tiles.items()):
            if first <= row < first + 2:
                top, left = (row - first) * _HALF, col * _HALF
                band[top : top + _HALF, left : left + _HALF] = labels[k]
        return band[: self._shape[0] - first * _HALF, : self._shape[1]]


def counted(piece: Piece, cells: Cells) -> NDArray[np.bool_]:
    """Which cells count: invasive, and in the patient's piece."""
    mask: NDArray[np.bool_] = (cells.kind == KINDS["invasive"]) & (piece.role == "patient")
    return mask


def _write_cells(scene: PhantomScene, path: Path) -> dict[str, int]:
    """Write the table of carcinoma cells; returns the counts per class of those that count."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {"x": pa.float64(), "y": pa.float64(), "class": pa.string()}
    schema = pa.schema(kinds | {"completeness": pa.float32(), "in_tumour": pa.bool_()})
    counts = dict.fromkeys(MIX_KEYS, 0)
    with replacing(path) as temporary, pq.ParquetWriter(temporary, schema) as file:
        for part, some in _cell_tables(scene, schema):
            file.write_table(part)
            counts = {key: counts[key] + some[key] for key in counts}
    return counts


def _cell_tables(scene: PhantomScene, schema: pa.Schema) -> Iterator[tuple[pa.Table, dict[str, int]]]:
    import pyarrow as pa

    for piece in scene.glasses["ihc"].pieces:
        for cells in scene.cells(piece):
            codes, valid = scene.classify(piece, cells), counted(piece, cells)
            places = to_xy(scene.cells_px(piece, cells))
            columns = {
                "x": places[:, 0],
                "y": places[:, 1],
                "class": np.array(CELL_CLASSES)[codes].astype(object),
                "completeness": membranes_of(codes, cells.bits)[:, COMPLETENESS].astype(np.float32),
                "in_tumour": valid,
            }
            yield pa.table(columns, schema=schema), counts_by_class(codes[valid])


def _write_landmarks(scene: PhantomScene, path: Path) -> None:
    he = landmarks(scene)
    table = np.hstack([to_xy(he), to_xy(scene.he_to_ihc(he))])
    lines = ["he_x,he_y,ihc_x,ihc_y"] + [",".join(f"{value:.3f}" for value in row) for row in table]
    with replacing(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _stated(scene: PhantomScene, truth: PhantomTruth) -> dict[str, Any]:
    """Content of truth.json."""
    glass = scene.glasses["ihc"]
    pieces = [
        {"role": piece.role, "box_xywh": list(glass.box(piece).xywh), "expected_score": piece.expected}
        for piece in glass.pieces
    ]
    return {
        "schema": "napari-her2/phantom/1",
        "score": truth.score,
        "percent": truth.percent,
        "counts": truth.counts,
        "rule": RULE_NAME,
        "seed": scene.spec.seed,
        "parameters": {**asdict(scene.spec), "mix": scene.spec.percent, "size_um": list(scene.spec.size_um)},
        "um_per_px": UM_PER_PX,
        "ihc_pieces": pieces,
        "artefacts": {stain: scene.artefacts[stain].stated for stain in ("he", "ihc")},
        "disclaimer": "Synthetic tissue. For research use only; not for diagnosis.",
    }
