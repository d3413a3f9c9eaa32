"""Training tiles: the right pixels with the right labels, only from reviewed areas, read by `train`."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
import tifffile
from tests.learning.tiny_recipes import content

from napari_her2.annotation.painting import paint
from napari_her2.errors import CaseError
from napari_her2.events import drain
from napari_her2.exchange import Area, TileWishes, labels_of_areas, split_of, write_tiles
from napari_her2.geometry import Box
from napari_her2.slides import Slide, open_slide

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

UM = 0.25


def ring(row: float, col: float, height: float, width: float) -> np.ndarray:
    return np.array([[row, col], [row, col + width], [row + height, col + width], [row + height, col]])


@pytest.fixture
def slide(tmp_path: Path) -> Iterator[Slide]:
    """Every pixel says where it is: red is its row, green its column, in units of 8 px."""
    row, col = np.mgrid[0:1600, 0:2000]
    picture = np.stack([row // 8, col // 8, np.full_like(row, 77)], -1).astype(np.uint8)
    path = tmp_path / "ihc.tif"
    metadata = {"axes": "YXS", "PhysicalSizeX": UM, "PhysicalSizeY": UM}
    tifffile.imwrite(path, picture, ome=True, photometric="rgb", tile=(256, 256), metadata=metadata)
    with open_slide(path) as opened:
        yield opened


REVIEWED = Area(outline=ring(200, 400, 1024, 1024), name="reviewed")
STRONG = Area(outline=ring(250, 450, 300, 300), holes=(ring(300, 500, 100, 100),), name="3+")
UNUSUAL = Area(outline=ring(700, 700, 200, 200), name="unusual")
LABELS = labels_of_areas([(4, STRONG), (5, UNUSUAL)])


def cut(folder: Path, slide: Slide, case: str = "A_1", **wishes: Any) -> Any:
    how = TileWishes(**{"size_px": 256, "um_per_px": 0.5, **wishes})
    return drain(write_tiles(folder, slide, [REVIEWED], LABELS, case=case, wishes=how))


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "tiles.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("picture", ["png", "tiff"])
def test_a_pair_shows_its_place(tmp_path: Path, slide: Slide, picture: str) -> None:
    found = cut(tmp_path / "t", slide, picture=picture)
    rows = table(tmp_path / "t")
    assert found.tiles == len(rows) == 4  # 1024 px at 0.25 are two tiles of 256 px at 0.5
    for line in rows:
        x, y = int(line["x"]), int(line["y"])
        data = (tmp_path / "t" / line["patch"]).read_bytes()
        rgb = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        assert rgb.shape == (256, 256, 3)
        assert abs(int(rgb[128, 128, 0]) - (y + 256) // 8) <= 1
        assert abs(int(rgb[128, 128, 1]) - (x + 256) // 8) <= 1
        mask = cv2.imread(str(tmp_path / "t" / "images" / line["label"]), cv2.IMREAD_UNCHANGED)
        place = Box(y, x, 512, 512)
        assert (mask == 4).sum() == paint((STRONG.outline, *STRONG.holes), place, (256, 256)).sum()
        assert not (mask == 5).any()
    strong = 300 * 300 - 100 * 100
    assert found.pixels[4] * 4 == pytest.approx(strong, rel=0.02)
    assert found.pixels[3] * 4 == pytest.approx(200 * 200, rel=0.02)  # unusual is taught as 2+


def test_what_is_not_reviewed_is_unknown(tmp_path: Path, slide: Slide) -> None:
    assert 255 not in cut(tmp_path / "t", slide).pixels
    corner = Area(outline=np.array([[200.0, 400], [200, 1000], [800, 400]]))  # a triangle: half of its box
    how = TileWishes(size_px=256, um_per_px=0.5, least_reviewed=0.4)
    half = drain(write_tiles(tmp_path / "u", slide, [corner], LABELS, case="B", wishes=how))
    total = half.tiles * 256 * 256
    assert 0.05 * total < half.pixels[255] < 0.6 * total
    how = TileWishes(size_px=256, um_per_px=0.5, least_reviewed=0.999)
    with pytest.raises(CaseError, match="no tile of 256 px"):
        drain(write_tiles(tmp_path / "v", slide, [corner], LABELS, case="B", wishes=how))


def test_overlap_and_edges(tmp_path: Path, slide: Slide) -> None:
    plain = cut(tmp_path / "a", slide)
    more = cut(tmp_path / "b", slide, overlap_px=128)
    assert (plain.tiles, more.tiles) == (4, 9)
    edge = Area(outline=ring(1000, 1500, 900, 900))  # hangs over the slide
    how = TileWishes(size_px=256, um_per_px=0.5)
    found = drain(write_tiles(tmp_path / "c", slide, [edge], LABELS, case="E", wishes=how))
    rows = table(tmp_path / "c")
    assert found.tiles == len(rows)
    assert all(int(r["x"]) + 512 <= 2000 and int(r["y"]) + 512 <= 1600 for r in rows)


def test_a_case_is_in_one_split_and_others_stay(tmp_path: Path, slide: Slide) -> None:
    for case in ("A_1", "B", "A_1"):
        cut(tmp_path / "t", slide, case=case)
    rows = table(tmp_path / "t")
    assert len(rows) == 8
    by_case = {r["case"]: {s["split"] for s in rows if s["case"] == r["case"]} for r in rows}
    assert all(len(splits) == 1 for splits in by_case.values())
    splits = dict(line.split(",") for line in (tmp_path / "t" / "splits.csv").read_text().splitlines()[1:])
    assert splits == {case: next(iter(found)) for case, found in by_case.items()}


def test_splits_have_the_shares_asked_for() -> None:
    wishes = TileWishes(validation_share=0.2, test_share=0.1)
    found = [split_of(f"case{k}", wishes) for k in range(4000)]
    assert found.count("validation") / 4000 == pytest.approx(0.2, abs=0.03)
    assert found.count("test") / 4000 == pytest.approx(0.1, abs=0.02)


def test_train_reads_the_table(tmp_path: Path, slide: Slide) -> None:
    from napari_her2.learning import Recipe
    from napari_her2.learning.folders import labelled_patches

    folder = tmp_path / "t"
    cut(folder, slide, size_px=512, um_per_px=0.5)
    patches = {"folder": str(folder), "table": str(folder / "tiles.csv")}
    recipe = Recipe.model_validate(
        content("segment") | {"data": {"patches": patches, "validation_share": 0.5}}
    )
    assert recipe.data.patches is not None
    (patch,) = labelled_patches(recipe.data.patches, recipe)
    read = patch.read()
    assert read.labels is not None
    assert patch.case == "A_1"
    assert set(np.unique(read.labels)) == {0, 3, 4}
    assert read.labels[(250 + 20 - 200) // 2, (450 + 20 - 400) // 2] == 4


def test_pixel_centres_decide_what_is_inside() -> None:
    rng = np.random.default_rng(5)
    from shapely import Point, Polygon

    corners = rng.uniform(0, 64, (7, 2))
    hull = np.array(Polygon(corners).convex_hull.exterior.coords)[:-1]
    mask = paint((hull,), Box(0, 0, 64, 64), (32, 32))
    truth = np.array(
        [[Polygon(hull).contains(Point(2 * r + 1, 2 * c + 1)) for c in range(32)] for r in range(32)]
    )
    np.testing.assert_array_equal(mask, truth)
    with_hole = paint((hull, hull * 0.25 + 0.75 * hull.mean(axis=0)), Box(0, 0, 64, 64), (32, 32))
    assert 0 < (mask & ~with_hole).sum() < mask.sum() / 8


@pytest.mark.parametrize(
    "wishes",
    [
        {"size_px": 4},
        {"overlap_px": 512},
        {"least_reviewed": 0},
        {"validation_share": 0.6, "test_share": 0.5},
    ],
)
def test_impossible_wishes_are_refused(wishes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        TileWishes(**wishes)
