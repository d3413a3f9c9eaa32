"""A known polygon and cells through GeoJSON, COCO and XML; what other libraries read in them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import geojson
import numpy as np
import pytest
from tests.exchange.known import HOLE, OUTLINE, known, some_cells, worst_px

from napari_her2.errors import CaseError
from napari_her2.exchange import (
    read_areas,
    read_cell_features,
    read_coco,
    read_xml_areas,
    write_areas,
    write_cells_geojson,
    write_coco,
)
from napari_her2.exchange.classes import cell_class_of, class_of_cell, colour_of
from napari_her2.vocabulary import CELL_CLASSES, EXCLUDED_REASONS

if TYPE_CHECKING:
    from pathlib import Path

UM = 0.25


@pytest.mark.parametrize("name", ["a.geojson", "a.geojson.gz"])
def test_a_polygon_survives_geojson(tmp_path: Path, name: str) -> None:
    write_areas(tmp_path / name, [known(), known(name="In situ", colour=(1, 2, 3), holes=())])
    one, two = read_areas(tmp_path / name)
    assert worst_px(one, known()) < 0.01
    assert (one.name, one.slide, one.title, one.kind) == ("Tumor", "ihc", "left margin", "annotation")
    assert one.properties == {"method": "person", "confirmed": True, "piece": 3}
    assert one.measurements == {"Area mm^2": 0.0213}
    assert one.feature_id == known().feature_id
    assert two.colour == (1, 2, 3)
    assert one.colour == colour_of("Tumor")


def test_what_qupath_keeps_brings_our_facts_back(tmp_path: Path) -> None:
    """QuPath writes only its own fields and the text in ``metadata``; ours survive in there."""
    path = tmp_path / "a.geojson"
    write_areas(path, [known()])
    data = json.loads(path.read_text())
    own = {"objectType", "name", "color", "classification", "isLocked", "measurements", "metadata"}
    for feature in data["features"]:
        feature["properties"] = {k: v for k, v in feature["properties"].items() if k in own}
        assert all(isinstance(v, str) for v in feature["properties"]["metadata"].values())
    path.write_text(json.dumps(data))
    (area,) = read_areas(path)
    assert area.slide == "ihc"
    assert area.properties == {"method": "person", "confirmed": True, "piece": "3"}


def test_older_qupath_is_understood(tmp_path: Path) -> None:
    ring = [[0, 0], [10, 0], [10, 10], [0, 0]]
    properties = {
        "object_type": "detection",
        "classification": {"name": "Stroma", "colorRGB": -6895466},
        "measurements": [{"name": "Area", "value": 4.5}, {"name": "Broken", "value": None}],
    }
    feature = {"type": "Feature", "id": "PathDetectionObject", "properties": properties}
    feature["geometry"] = {"type": "Polygon", "coordinates": [ring]}
    (tmp_path / "old.json").write_text(json.dumps([feature]))
    (area,) = read_areas(tmp_path / "old.json")
    assert (area.name, area.kind, area.measurements) == ("Stroma", "detection", {"Area": 4.5})
    assert area.colour == (150, 200, 150)  # QuPath's own Stroma


@pytest.mark.parametrize("shape", ["nucleus", "point"])
@pytest.mark.parametrize("name", ["c.geojson", "c.geojson.gz"])
def test_cells_survive_geojson(tmp_path: Path, shape: str, name: str) -> None:
    cells = some_cells()
    assert write_cells_geojson(tmp_path / name, cells, um_per_px=UM, areas=[known()], shape=shape) == 500
    found = read_cell_features(tmp_path / name, measurements=True)
    assert np.abs(found.points_px - cells.points_px).max() < 0.02
    assert found.classes == [CELL_CLASSES[k] for k in cells.class_code]
    assert found.excluded == [EXCLUDED_REASONS[k] for k in cells.excluded]
    stated = [m["Membrane: Completeness"] for m in found.measurements]
    np.testing.assert_allclose(stated, cells.completeness, atol=6e-4)


def test_the_geojson_library_and_shapely_accept_the_file(tmp_path: Path) -> None:
    from shapely.geometry import shape

    cells = some_cells(60)
    write_cells_geojson(tmp_path / "c.geojson", cells, um_per_px=UM, areas=[known()])
    data = geojson.loads((tmp_path / "c.geojson").read_text(encoding="utf-8"))
    assert data.is_valid, data.errors()
    shapes = [shape(feature["geometry"]) for feature in data["features"]]
    assert all(one.is_valid for one in shapes)
    areas_um2 = np.array([one.area for one in shapes[1:]]) * UM**2
    np.testing.assert_allclose(areas_um2, cells.nucleus_area_um2, rtol=0.01)
    kinds = [feature["properties"]["objectType"] for feature in data["features"]]
    assert kinds == ["annotation"] + ["detection"] * 60
    colours = {
        f["properties"]["classification"]["name"]: f["properties"]["classification"]["color"]
        for f in data["features"]
    }
    assert colours["Tumor: 3+"] == [0xD7, 0x30, 0x27]


def test_names_of_cell_classes_go_both_ways() -> None:
    for cell_class in CELL_CLASSES:
        for reason in EXCLUDED_REASONS:
            name = class_of_cell(cell_class, reason, in_tumour=True)
            assert cell_class_of(name) == (cell_class, reason)
    assert cell_class_of("Negative") == ("0", "")
    assert cell_class_of("Tumor: 2+") == cell_class_of("2+") == ("2+", "")
    assert cell_class_of("Stroma") is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"type": "FeatureCollection", "features": [{"type": "Feat', "ends in the middle"),
        ('{"type": "FeatureCollection", "features": [1]}', "no feature"),
        ('{"type": "FeatureCollection", "features": []}', "holds no cell"),
        ("nothing", "no GeoJSON"),
    ],
)
def test_damaged_cells_are_refused(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "c.geojson").write_text(text)
    with pytest.raises(CaseError, match=why):
        read_cell_features(tmp_path / "c.geojson")


def test_a_damaged_gzip_is_refused(tmp_path: Path) -> None:
    write_areas(tmp_path / "a.geojson.gz", [known()])
    data = (tmp_path / "a.geojson.gz").read_bytes()
    (tmp_path / "b.geojson.gz").write_bytes(data[: len(data) // 2])
    with pytest.raises(CaseError, match=r"b\.geojson\.gz is damaged"):
        read_areas(tmp_path / "b.geojson.gz")


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_coco_is_read_by_pycocotools(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from pycocotools.coco import COCO
    from shapely import Polygon

    cells = some_cells(40)
    path = tmp_path / "a.json"
    n = write_coco(path, image="ihc.svs", shape=(81_000, 1500), areas=[known()], cells=cells, um_per_px=UM)
    assert n == 1 + cells.evaluable.sum()
    coco = COCO(str(path))
    capsys.readouterr()
    assert len(coco.getAnnIds()) == n
    (one,) = coco.loadAnns(coco.getAnnIds(catIds=coco.getCatIds(catNms=["Tumor"])))
    truth = Polygon(OUTLINE, [HOLE])
    assert one["area"] == pytest.approx(truth.area, abs=1)
    top, left, bottom, right = truth.bounds
    np.testing.assert_allclose(one["bbox"], [left, top, right - left, bottom - top], atol=0.01)
    # The hole stays a hole when the library paints the ring (moved to the corner: fewer rows).
    moved = [v - 80_000 if k % 2 else v for k, v in enumerate(one["segmentation"][0])]
    coco.imgs[1].update(height=1000)
    mask = coco.annToMask({**one, "segmentation": [moved]})
    assert mask[500 - 150, 450] == 0
    assert mask[250, 450] == 1
    assert mask.sum() == pytest.approx(truth.area, rel=0.005)
    strong = coco.getAnnIds(catIds=coco.getCatIds(catNms=["Tumor: 3+"]))
    assert len(strong) == (cells.evaluable & (cells.class_code == 3)).sum()


def test_a_polygon_survives_coco(tmp_path: Path) -> None:
    plain = known(holes=())
    write_coco(tmp_path / "a.json", image="i", shape=(9, 9), areas=[plain], um_per_px=UM)
    (area,) = read_coco(tmp_path / "a.json")
    assert worst_px(area, plain) < 0.01
    assert area.name == "Tumor"


def asap_of(rings: list[tuple[str, np.ndarray]]) -> str:
    parts = []
    for k, (group, ring) in enumerate(rings):
        corners = "".join(
            f'<Coordinate Order="{n}" X="{x}" Y="{y}" />' for n, (y, x) in reversed(list(enumerate(ring)))
        )
        parts.append(
            f'<Annotation Name="Annotation {k}" Type="Polygon" PartOfGroup="{group}" Color="#F4FA58">'
            f"<Coordinates>{corners}</Coordinates></Annotation>"
        )
    groups = '<Group Name="Tumor" PartOfGroup="None" Color="#aa0000"><Attributes /></Group>'
    return (
        '<?xml version="1.0"?><ASAP_Annotations><Annotations>' + "".join(parts) + "</Annotations>"
        f"<AnnotationGroups>{groups}</AnnotationGroups></ASAP_Annotations>"
    )


def imagescope_of(regions: list[tuple[str, str, np.ndarray]]) -> str:
    parts = "".join(
        f'<Region Id="{k}" Type="{kind}" NegativeROA="{negative}" Text=""><Vertices>'
        + "".join(f'<Vertex X="{x}" Y="{y}" Z="0" />' for y, x in ring)
        + "</Vertices></Region>"
        for k, (kind, negative, ring) in enumerate(regions)
    )
    return (
        '<Annotations MicronsPerPixel="0.25"><Annotation Id="1" Name="Tumor" LineColor="65280">'
        f"<Attributes/><Regions>{parts}</Regions></Annotation></Annotations>"
    )


def test_asap_gives_the_known_polygon(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(asap_of([("Tumor", OUTLINE), ("Exclude", HOLE)]))
    (area,) = read_xml_areas(tmp_path / "a.xml")
    assert worst_px(area, known()) < 1e-6
    assert (area.name, area.colour) == ("Tumor", (0xAA, 0, 0))


def test_imagescope_gives_the_known_polygon(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(imagescope_of([("0", "0", OUTLINE), ("0", "1", HOLE)]))
    (area,) = read_xml_areas(tmp_path / "a.xml")
    assert worst_px(area, known()) < 1e-6
    assert (area.name, area.colour) == ("Tumor", (0, 255, 0))


def test_imagescope_ellipses_and_rulers(tmp_path: Path) -> None:
    box = np.array([[100.0, 200.0], [300.0, 600.0]])
    (tmp_path / "a.xml").write_text(imagescope_of([("2", "0", box), ("4", "0", box)]))
    (area,) = read_xml_areas(tmp_path / "a.xml")
    np.testing.assert_allclose(area.outline.min(axis=0), [100, 200])
    np.testing.assert_allclose(area.outline.max(axis=0), [300, 600])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("<a", "not valid XML"),
        ("<svg/>", "another kind"),
        ("<Annotations/>", "holds no polygon"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><Annotations/>', "declares entities"),
        (imagescope_of([("0", "0", OUTLINE[:2])]), "2 corners"),
        (imagescope_of([("0", "0", OUTLINE)]).replace("100.5", "x"), "not two numbers"),
    ],
)
def test_damaged_xml_is_refused(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "a.xml").write_text(text)
    with pytest.raises(CaseError, match=why):
        read_xml_areas(tmp_path / "a.xml")
