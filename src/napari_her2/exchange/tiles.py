"""Training tiles: pairs of picture and mask from reviewed areas, with a table and a split by case."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, Protocol

import numpy as np

from napari_her2.annotation.painting import paint
from napari_her2.errors import CaseError, OutputError
from napari_her2.events import Progress
from napari_her2.exchange.csv_files import read_csv, write_csv
from napari_her2.geometry import Box
from napari_her2.store import writable_folder, write_bytes, write_json
from napari_her2.vocabulary import RASTER_LABELS, SCORES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_her2.events import Steps
    from napari_her2.exchange.geojson import Area
    from napari_her2.slides import Slide

__all__ = ["LabelSource", "TileWishes", "TilesWritten", "labels_of_areas", "split_of", "write_tiles"]

TABLE: Final = "tiles.csv"
SPLITS: Final = "splits.csv"
UNKNOWN: Final = RASTER_LABELS["unsure"]
CLASSES: Final[dict[str, int]] = {
    "background": 0,
    **{str(name): RASTER_LABELS[name] for name in SCORES},
    "unknown": UNKNOWN,
}
SUFFIX: Final[dict[str, str]] = {"png": ".png", "tiff": ".tif"}


class LabelSource(Protocol):
    """What gives the class of each pixel of a place."""

    def __call__(self, box: Box, shape: tuple[int, int]) -> NDArray[np.uint8]:
        """Return labels (rows, cols) over a box of level-0 pixels."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TileWishes:
    """How tiles are cut.

    Attributes
    ----------
    size_px : int
        Side of a tile.
    um_per_px : float
        Of a tile.
    overlap_px : int
        Of neighbours, in tile pixels.
    least_reviewed : float
        Share of a tile that must lie in reviewed areas; the rest is marked unknown (255).
    picture : {"png", "tiff"}
    validation_share, test_share : float
        Of the cases; a case is in one split only.
    seed : int
        Of the split.

    Raises
    ------
    ValueError
        If a value is impossible.
    """

    size_px: int = 512
    um_per_px: float = 0.5
    overlap_px: int = 0
    least_reviewed: float = 0.9
    picture: Literal["png", "tiff"] = "png"
    validation_share: float = 0.2
    test_share: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.size_px < 8 or not 0 <= self.overlap_px < self.size_px:
            raise ValueError(
                f"tiles of {self.size_px} px with an overlap of {self.overlap_px} px do not work"
            )
        if not 0 < self.least_reviewed <= 1:
            raise ValueError(f"least_reviewed must lie in (0, 1], got {self.least_reviewed}")
        if min(self.validation_share, self.test_share) < 0 or self.validation_share + self.test_share >= 1:
            raise ValueError("the shares of validation and test must leave something for training")


@dataclass(frozen=True, slots=True)
class TilesWritten:
    """What was written.

    Attributes
    ----------
    tiles : int
    split : str
        ``train``, ``validation`` or ``test``: where the case belongs.
    pixels : mapping of label to number of pixels
    """

    tiles: int
    split: str
    pixels: Mapping[int, int]


def split_of(case: str, wishes: TileWishes) -> str:
    """Return a case's split by its name and the seed, independent of the other cases."""
    digest = hashlib.sha256(f"{wishes.seed}\0{case}".encode()).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64
    if place < wishes.test_share:
        return "test"
    return "validation" if place < wishes.test_share + wishes.validation_share else "train"


def labels_of_areas(areas: Sequence[tuple[int, Area]], *, untouched: int = 0) -> LabelSource:
    """Return labels painted from areas; where they overlap the later one wins.

    Parameters
    ----------
    areas : sequence of (value, Area)
    untouched : int
        Value where no area lies.
    """

    def labels(box: Box, shape: tuple[int, int]) -> NDArray[np.uint8]:
        found = np.full(shape, untouched, np.uint8)
        for value, area in areas:
            if _touches(area, box):
                found[paint((area.outline, *area.holes), box, shape)] = value
        return found

    return labels


def write_tiles(
    folder: Path,
    slide: Slide,
    reviewed: Sequence[Area],
    labels: LabelSource,
    *,
    case: str,
    wishes: TileWishes,
) -> Steps[TilesWritten]:
    """Cut tiles from the reviewed areas of a slide into ``folder``; other cases' tiles there stay.

    Writes ``images/CASE_x_y.*``, ``masks/CASE_x_y.*`` (class values, 255 unknown), and lines of
    ``tiles.csv``: ``patch,case,label,split,x,y,width,height,um_per_px``, which `train` reads as labelled
    patches; ``splits.csv`` says the split of each case. Nothing outside reviewed areas is taken for
    background.

    Yields
    ------
    Progress

    Raises
    ------
    CaseError
        If no tile fits into the reviewed areas.
    OutputError
        If the folder cannot be written.
    """
    step = wishes.um_per_px / slide.um_per_px
    boxes = list(_places(reviewed, slide.shape, wishes, step))
    for part in ("images", "masks"):
        writable_folder(folder / part)
    split, rows = split_of(case, wishes), []
    pixels = np.zeros(256, np.int64)
    shape = (wishes.size_px, wishes.size_px)
    for k, box in enumerate(boxes):
        yield Progress("tiles", k, len(boxes))
        known = _inside(reviewed, box, shape)
        if known.mean() < wishes.least_reviewed:
            continue
        mask = _known(labels(box, shape), known)
        name = f"{case}_{box.col}_{box.row}{SUFFIX[wishes.picture]}"
        _write_pair(folder, name, slide, box, mask, wishes)
        rows.append(_row(name, case, split, box, wishes))
        pixels += np.bincount(mask.ravel(), minlength=256)
    if not rows:
        raise CaseError(
            f"no tile of {wishes.size_px} px at {wishes.um_per_px:g} µm/px fits into the reviewed areas of "
            f"{case}: mark larger areas as reviewed or cut smaller tiles"
        )
    _write_table(folder, case, rows)
    write_json(folder / "classes.json", dict(CLASSES))
    counts = {int(v): int(n) for v, n in enumerate(pixels) if n}
    return TilesWritten(len(rows), split, counts)


def _touches(area: Area, box: Box) -> bool:
    low, high = area.outline.min(axis=0), area.outline.max(axis=0)
    return bool(low[0] < box.row_stop and high[0] > box.row and low[1] < box.col_stop and high[1] > box.col)


def _inside(reviewed: Sequence[Area], box: Box, shape: tuple[int, int]) -> NDArray[np.bool_]:
    known = np.zeros(shape, bool)
    for area in reviewed:
        if _touches(area, box):
            known |= paint((area.outline, *area.holes), box, shape)
    return known


def _places(
    reviewed: Sequence[Area], shape: tuple[int, int], wishes: TileWishes, step: float
) -> Iterator[Box]:
    """Give places of a grid per reviewed area, wholly on the slide; each place once."""
    side = max(round(wishes.size_px * step), 1)
    stride = max(round((wishes.size_px - wishes.overlap_px) * step), 1)
    if side > min(shape):
        return
    seen: set[tuple[int, int]] = set()
    for area in reviewed:
        for row in _starts(area.outline[:, 0], side, stride, shape[0]):
            for col in _starts(area.outline[:, 1], side, stride, shape[1]):
                if (row, col) not in seen:
                    seen.add((row, col))
                    yield Box(row, col, side, side)


def _starts(places: NDArray[np.float64], side: int, stride: int, length: int) -> Iterator[int]:
    """Cover an extent from its beginning; the last tile is pushed back so that the end is covered."""
    low, high = max(int(np.ceil(places.min())), 0), min(int(np.floor(places.max())), length)
    last = max(min(high - side, length - side), 0)
    start = min(low, length - side)
    while start < last:
        yield start
        start += stride
    yield max(last, min(low, length - side))


def _known(labels: NDArray[np.uint8], known: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return labels as models learn them: unusual is 2+, what nobody has reviewed is unknown."""
    taught = np.where(labels == RASTER_LABELS["unusual"], np.uint8(RASTER_LABELS["2+"]), labels)
    return np.where(known, taught, np.uint8(UNKNOWN)).astype(np.uint8)


def _write_pair(
    folder: Path, name: str, slide: Slide, box: Box, mask: NDArray[np.uint8], wishes: TileWishes
) -> None:
    rgb = _exact(slide.read_at(box, wishes.um_per_px), wishes.size_px)
    _write_picture(folder / "images" / name, rgb, wishes)
    _write_picture(folder / "masks" / name, mask, wishes)


def _row(name: str, case: str, split: str, box: Box, wishes: TileWishes) -> dict[str, str | float]:
    return {
        "patch": f"images/{name}", "case": case, "label": f"../masks/{name}", "split": split, "x": box.col,
        "y": box.row, "width": box.width, "height": box.height, "um_per_px": wishes.um_per_px,
    }  # fmt: skip


def _exact(rgb: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Mend the odd pixel that rounding of the place leaves."""
    import cv2

    if rgb.shape[:2] == (side, side):
        return rgb
    return np.asarray(cv2.resize(rgb, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def _write_picture(path: Path, picture: NDArray[np.uint8], wishes: TileWishes) -> None:
    import cv2

    if wishes.picture == "tiff":
        _write_tiff(path, picture, wishes.um_per_px)
        return
    done, data = cv2.imencode(".png", picture[..., ::-1] if picture.ndim == 3 else picture)
    if not done:
        raise OutputError(f"{path.name} cannot be encoded: choose another --picture")
    write_bytes(path, data.tobytes())


def _write_tiff(path: Path, picture: NDArray[np.uint8], um_per_px: float) -> None:
    import tifffile

    from napari_her2.store import replacing

    with replacing(path) as temporary:
        tifffile.imwrite(
            temporary,
            picture,
            photometric="rgb" if picture.ndim == 3 else "minisblack",
            compression="zlib",
            resolution=(1e4 / um_per_px, 1e4 / um_per_px),
            resolutionunit="CENTIMETER",
            metadata=None,
        )


def _write_table(folder: Path, case: str, rows: Sequence[Mapping[str, str | float]]) -> None:
    """Write the table anew: lines of other cases stay, those of this case are replaced."""
    path, names = folder / TABLE, list(rows[0])
    kept: list[Mapping[str, str | float]] = []
    if path.is_file():
        table = read_csv(path)
        if list(table.columns) != names:
            raise OutputError(f"{path.name} in {folder.name} has other columns: choose another folder")
        kept = [r for line in table.rows if (r := dict(zip(names, line, strict=True)))["case"] != case]
    lines = sorted([*kept, *rows], key=lambda r: (str(r["case"]), str(r["patch"])))
    write_csv(path, {name: [str(r[name]) for r in lines] for name in names})
    cases = {str(r["case"]): str(r["split"]) for r in lines}
    write_csv(folder / SPLITS, {"case": list(cases), "split": list(cases.values())})
