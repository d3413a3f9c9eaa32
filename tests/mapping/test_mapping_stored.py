"""mapping.json and landmark tables: round trips, and one clear sentence for what is wrong."""

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_her2.errors import CaseError, MappingError, OutputError
from napari_her2.geometry import Affine
from napari_her2.mapping import Landmarks, load_mapping, read_landmarks, save_mapping, write_landmarks
from napari_her2.mapping.flow import Flow
from napari_her2.mapping.frame import Lattice


@pytest.fixture
def mapping(make_mapping):
    lattice = Lattice.over((2000.0, 2400.0), 80.0, 2)
    values = 30 * np.sin(lattice.nodes_um / 300).astype(np.float32).reshape(lattice.values.shape)
    flow = Flow.of(lattice.with_values(values))
    return make_mapping(Affine.rotation(20.0) @ Affine.of(np.diag([1.0, -1.0])), flow=flow)


def test_round_trip_keeps_every_point(mapping, tmp_path):
    save_mapping(mapping, tmp_path / "mapping.json")
    again = load_mapping(tmp_path / "mapping.json")
    points = np.random.default_rng(0).uniform(0, 4000, (100, 2))
    assert np.allclose(again.he_to_ihc(points), mapping.he_to_ihc(points), atol=1e-6)
    assert np.allclose(again.error_um(points), mapping.error_um(points))
    assert again.report() == mapping.report()


def test_the_json_keeps_the_contract(mapping, tmp_path):
    mapping.save(tmp_path / "mapping.json")
    stored = json.loads((tmp_path / "mapping.json").read_text())
    assert stored["schema"] == "napari-her2/mapping/1"
    assert stored["mirrored"] is True
    assert {key: stored[key] for key in mapping.report()} == mapping.report()
    assert (tmp_path / stored["field"]).exists()
    assert "/" not in stored["field"]
    size = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert size < 200_000


def test_equal_mappings_are_equal_files(mapping, tmp_path):
    for name in ("a", "b"):
        mapping.save(tmp_path / name / "mapping.json")
    first, second = (sorted((tmp_path / name).iterdir()) for name in ("a", "b"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def spoiled_schema(folder):
    stored = json.loads((folder / "mapping.json").read_text())
    stored["schema"] = "napari-her2/mapping/9"
    (folder / "mapping.json").write_text(json.dumps(stored))


def lost_key(folder):
    stored = json.loads((folder / "mapping.json").read_text())
    del stored["affine_um"]
    (folder / "mapping.json").write_text(json.dumps(stored))


def far_field(folder):
    stored = json.loads((folder / "mapping.json").read_text())
    stored["field"] = "../elsewhere.npz"
    (folder / "mapping.json").write_text(json.dumps(stored))


BROKEN = {
    "not there": (lambda folder: (folder / "mapping.json").unlink(), "cannot be read"),
    "not json": (lambda folder: (folder / "mapping.json").write_text("hello"), "not JSON"),
    "a list": (lambda folder: (folder / "mapping.json").write_text("[1]"), "schema"),
    "other schema": (spoiled_schema, "schema"),
    "lost key": (lost_key, "not a complete mapping"),
    "field gone": (lambda folder: (folder / "mapping.field.npz").unlink(), "is missing beside"),
    "field of another": (lambda folder: (folder / "mapping.field.npz").write_bytes(b"x"), "does not belong"),
    "field elsewhere": (far_field, "with a folder"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_mapping_gets_one_sentence(mapping, tmp_path, case):
    mapping.save(tmp_path / "mapping.json")
    spoil, words = BROKEN[case]
    spoil(tmp_path)
    with pytest.raises(MappingError, match=words) as caught:
        load_mapping(tmp_path / "mapping.json")
    assert len(str(caught.value)) <= 500
    assert str(tmp_path) not in str(caught.value)


def test_a_place_that_cannot_be_written(mapping, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        mapping.save(tmp_path / "file" / "mapping.json")


def test_landmarks_round_trip(tmp_path):
    marks = Landmarks.of([[1.5, 2.25], [30, 40]], [[5, 6], [7.125, 8]])
    write_landmarks(marks, tmp_path / "marks.csv")
    assert (tmp_path / "marks.csv").read_text().splitlines()[:2] == [
        "he_x,he_y,ihc_x,ihc_y",
        "2.250,1.500,6.000,5.000",
    ]
    again = read_landmarks(tmp_path / "marks.csv", he_shape=(100, 100), ihc_shape=(100, 100))
    assert np.array_equal(again.he_px, marks.he_px)
    assert np.array_equal(again.ihc_px, marks.ihc_px)


def test_columns_in_any_order_with_others_between(tmp_path):
    path = tmp_path / "marks.csv"
    path.write_text("\ufeffnote,ihc_y,ihc_x,he_y,he_x\nvessel,4,3,2,1\n", encoding="utf-8")
    marks = read_landmarks(path)
    assert marks.he_px.tolist() == [[2, 1]]
    assert marks.ihc_px.tolist() == [[4, 3]]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "lacks the column he_x"),
        ("he_x,he_y,ihc_x\n1,2,3\n", "lacks the column ihc_y"),
        ("he_x,he_y,ihc_x,ihc_y\n", "holds no landmark"),
        ("he_x,he_y,ihc_x,ihc_y\n1,2,3,x\n", "line 2"),
        ("he_x,he_y,ihc_x,ihc_y\n1,2,3,4\n1,2,3\n", "line 3"),
        ("he_x,he_y,ihc_x,ihc_y\n1,2,3,nan\n", "finite"),
        ("he_x,he_y,ihc_x,ihc_y\n1,2,300,4\n", "not on the image"),
        ("he_x,he_y,ihc_x,ihc_y\n-1,2,30,4\n", "not on the image"),
    ],
)
def test_a_bad_landmark_table_gets_one_sentence(tmp_path, text, words):
    path = tmp_path / "marks.csv"
    path.write_text(text)
    with pytest.raises(CaseError, match=words) as caught:
        read_landmarks(path, he_shape=(100, 100), ihc_shape=(100, 100))
    assert "marks.csv" in str(caught.value)


def test_binary_and_missing_landmark_files(tmp_path):
    (tmp_path / "marks.csv").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(CaseError, match="no CSV"):
        read_landmarks(tmp_path / "marks.csv")
    with pytest.raises(CaseError, match="cannot be read"):
        read_landmarks(tmp_path / "none.csv")


def test_editing_landmarks_leaves_the_old_set_alone():
    marks = Landmarks.of([[1, 1]], [[2, 2]])
    more = marks.added([[3, 3]], [[4, 4]])
    moved = more.moved(0, ihc_px=[9, 9])
    assert (len(marks), len(more), len(more.without(0))) == (1, 2, 1)
    assert moved.ihc_px[0].tolist() == [9, 9]
    assert more.ihc_px[0].tolist() == [2, 2]
    with pytest.raises(ValueError, match="pairs"):
        Landmarks(np.zeros((2, 2)), np.zeros((1, 2)))
