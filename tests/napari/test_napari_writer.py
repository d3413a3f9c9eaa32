"""Writers: what napari saves lies where it lay on the slide, in level-0 pixels. No window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_her2._napari.writer import write_labels, write_points, write_shapes
from napari_her2.errors import UsageError
from napari_her2.exchange import read_areas, read_csv, read_label_tiff, read_label_zarr

if TYPE_CHECKING:
    from pathlib import Path

UM = 0.25
NAMED = {"class": ["In situ"]}
POLYGON_PX = np.array([[100.25, 40.5], [100.25, 220.75], [300.5, 130.0]])


def on_slide(**more: Any) -> dict[str, Any]:
    """Attributes of a layer in µm whose data are µm, on a slide of 0.25 µm/px."""
    about = {"napari_her2": {"um_per_px": UM}}
    return {
        "name": "drawn",
        "scale": (1, 1),
        "translate": (0, 0),
        "units": ("um", "um"),
        "metadata": about,
        **more,
    }


@pytest.mark.parametrize("scale", [1.0, UM])
def test_a_known_polygon_survives(tmp_path: Path, scale: float) -> None:
    path = str(tmp_path / "a.geojson")
    shift = scale / 2
    data = [(POLYGON_PX * UM - shift) / scale]
    meta = on_slide(
        scale=(scale, scale),
        translate=(shift, shift),
        shape_type=["polygon"],
        features=NAMED,
    )
    assert write_shapes(path, data, meta) == [path]
    (area,) = read_areas(tmp_path / "a.geojson")
    assert np.abs(area.outline - POLYGON_PX).max() < 0.5
    assert area.name == "In situ"


def test_ellipses_close_and_lines_are_left_out(tmp_path: Path) -> None:
    box = np.array([[0.0, 0.0], [0.0, 40.0], [20.0, 40.0], [20.0, 0.0]])
    line = np.array([[0.0, 0.0], [5.0, 5.0]])
    write_shapes(str(tmp_path / "a.geojson"), [box, line], on_slide(shape_type=["ellipse", "line"]))
    (area,) = read_areas(tmp_path / "a.geojson")
    np.testing.assert_allclose(area.outline.max(axis=0), [80, 160], atol=0.5)
    with pytest.raises(UsageError, match="no closed shape"):
        write_shapes(str(tmp_path / "b.geojson"), [line], on_slide(shape_type=["line"]))


def test_points_keep_their_features(tmp_path: Path) -> None:
    write_points(
        str(tmp_path / "p.csv"), POLYGON_PX * UM, on_slide(features={"class": np.array(["0", "3+", "0"])})
    )
    table = read_csv(tmp_path / "p.csv")
    np.testing.assert_allclose(table.points(), POLYGON_PX, atol=1e-3)
    assert [row[table.columns.index("class")] for row in table.rows] == ["0", "3+", "0"]
    write_points(str(tmp_path / "q.csv"), np.array([[7.0, 3.0]]), {"units": ("pixel", "pixel")})
    np.testing.assert_allclose(read_csv(tmp_path / "q.csv").points(), [[7.5, 3.5]])


@pytest.mark.parametrize("name", ["l.ome.tif", "l.zarr"])
def test_labels_keep_pixels_and_size(tmp_path: Path, name: str) -> None:
    labels = np.zeros((700, 900), np.int32)
    labels[50:90, 60:200] = 4
    meta = {"name": "her2", "scale": (0.5, 0.5), "units": ("micrometer", "micrometer")}
    write_labels(str(tmp_path / name), [labels, labels[::2, ::2]], meta)
    found = (read_label_zarr if name.endswith("zarr") else read_label_tiff)(tmp_path / name)
    np.testing.assert_array_equal(found.labels, labels)
    assert found.um_per_px == 0.5
    assert found.names[4] == "3+"


def test_what_cannot_be_placed_is_refused(tmp_path: Path) -> None:
    path = str(tmp_path / "x")
    with pytest.raises(UsageError, match="on which slide"):
        write_points(path, POLYGON_PX, on_slide(metadata={}))
    with pytest.raises(UsageError, match="turned or warped"):
        write_points(path, POLYGON_PX, on_slide(affine=np.diag([1.0, 2.0, 1.0])))
    with pytest.raises(UsageError, match="no scale in µm"):
        write_labels(path, np.zeros((9, 9), int), {"scale": (1, 1), "units": ("pixel", "pixel")})
    with pytest.raises(UsageError, match="no layer of classes"):
        write_labels(path, np.full((9, 9), 300), {"scale": (1, 1), "units": ("um", "um")})


def test_the_manifest_offers_them_for_each_kind_of_layer() -> None:
    from npe2 import PluginManifest

    import napari_her2

    folder = napari_her2.__path__[0]
    manifest = PluginManifest.from_file(f"{folder}/napari.yaml")
    writers = {w.layer_types[0]: w for w in manifest.contributions.writers or ()}
    assert set(writers) == {"labels", "shapes", "points"}
    commands = {c.id: c.python_name for c in manifest.contributions.commands or ()}
    for writer in writers.values():
        module, _, name = str(commands[writer.command]).partition(":")
        assert module == "napari_her2._napari.writer"
        assert name in {"write_labels", "write_shapes", "write_points"}
