"""GeoJSON in QuPath's dialect: x, y in the file, (row, col) inside."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_her2.errors import CaseError
from napari_her2.exchange import Area, areas_of_mask, read_areas, write_areas

if TYPE_CHECKING:
    from pathlib import Path

RING = [[10, 20], [110, 20], [110, 70], [10, 70], [10, 20]]
HOLE = [[20, 30], [30, 30], [30, 40], [20, 40], [20, 30]]
POLYGON: dict[str, Any] = {"type": "Polygon", "coordinates": [RING, HOLE]}
FEATURE = {"type": "Feature", "geometry": POLYGON, "properties": {}}
MULTI = {"type": "MultiPolygon", "coordinates": [[RING], [HOLE]]}
POINT = {"type": "Feature", "geometry": {"type": "Point", "coordinates": [1, 2]}, "properties": {}}


def named(**properties: Any) -> dict[str, Any]:
    return {**FEATURE, "properties": properties}


def write(path: Path, value: Any) -> Path:
    path.write_text(json.dumps(value))
    return path


@pytest.mark.parametrize(
    ("value", "n"),
    [
        (POLYGON, 1),
        (FEATURE, 1),
        ([FEATURE, FEATURE], 2),
        ({"type": "FeatureCollection", "features": [FEATURE, POINT]}, 1),
        ({"type": "Feature", "geometry": MULTI, "properties": None}, 2),
    ],
    ids=["geometry", "feature", "list", "collection", "multi"],
)
def test_every_form_is_read(tmp_path: Path, value: Any, n: int) -> None:
    areas = read_areas(write(tmp_path / "roi.geojson", value))
    assert len(areas) == n
    np.testing.assert_array_equal(areas[0].outline, [[20, 10], [20, 110], [70, 110], [70, 10]])


def test_a_third_coordinate_is_passed_over(tmp_path: Path) -> None:
    ring = [[x, y, 0] for x, y in RING]
    (area,) = read_areas(write(tmp_path / "z.geojson", {"type": "Polygon", "coordinates": [ring]}))
    assert area.outline.shape == (4, 2)


@pytest.mark.parametrize(
    ("properties", "name", "slide"),
    [
        ({"classification": {"name": "Tumor", "color": [1, 2, 3]}}, "Tumor", None),
        ({"classification": {"names": ["Tumor", "In situ"]}}, "Tumor: In situ", None),
        ({"name": "my area", "slide": "he"}, "my area", "he"),
        ({"slide": "elsewhere"}, "", None),
    ],
)
def test_names_and_slides_are_taken(
    tmp_path: Path, properties: dict[str, Any], name: str, slide: str
) -> None:
    (area,) = read_areas(write(tmp_path / "a.geojson", named(**properties)))
    assert (area.name, area.slide) == (name, slide)


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"type": "FeatureCollection"},
        {"type": "FeatureCollection", "features": []},
        POINT,
        {"type": "Feature", "geometry": None, "properties": {}},
        {"type": "Polygon", "coordinates": []},
        {"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]},
        {"type": "Polygon", "coordinates": [[[0, 0], [1, "a"], [2, 2]]]},
        {"type": "Polygon", "coordinates": [[[0, 0], [1, None], [2, 2]]]},
        {"type": "Polygon", "coordinates": [5]},
        "text",
        [1],
    ],
    ids=repr,
)
def test_what_is_no_area_is_one_sentence(tmp_path: Path, value: Any) -> None:
    with pytest.raises(CaseError, match=r"bad\.geojson"):
        read_areas(write(tmp_path / "bad.geojson", value))


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    area = Area(
        outline=np.array([[0.0, 0.0], [0.0, 10.25], [5.5, 10.0]]),
        holes=(np.array([[1.0, 2.0], [1.0, 3.0], [2.0, 3.0]]),),
        name="Tumor",
        slide="ihc",
        properties={"method": "person"},
    )
    write_areas(tmp_path / "a.geojson", [area])
    (found,) = read_areas(tmp_path / "a.geojson")
    np.testing.assert_array_equal(found.outline, area.outline)
    np.testing.assert_array_equal(found.holes[0], area.holes[0])
    assert (found.name, found.slide) == ("Tumor", "ihc")
    feature = json.loads((tmp_path / "a.geojson").read_text())["features"][0]
    assert feature["properties"]["objectType"] == "annotation"
    assert feature["properties"]["method"] == "person"
    assert feature["geometry"]["coordinates"][0][1] == [10.25, 0.0], "x first"


def test_a_mask_gives_outlines_with_holes_largest_first() -> None:
    mask = np.zeros((40, 60), bool)
    mask[5:25, 5:45] = True
    mask[10:15, 10:20] = False
    mask[30, 50] = True
    large, small = areas_of_mask(mask, 8.0, name="Tumor", slide="he")
    assert len(large.holes) == 1
    assert large.name == "Tumor"
    low, high = large.outline.min(axis=0), large.outline.max(axis=0)
    np.testing.assert_allclose(low, (40, 40), atol=2)
    np.testing.assert_allclose(high, (200, 360), atol=2)
    np.testing.assert_allclose(small.outline.mean(axis=0), (30.5 * 8, 50.5 * 8), atol=0.01)
    assert areas_of_mask(np.zeros((3, 3), bool), 1.0) == ()
