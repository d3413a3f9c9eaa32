"""Stage results come back as they were; a file cannot make anything run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_her2.case import StageStore, key_of, pack, unpack
from napari_her2.errors import CaseError
from napari_her2.geometry import Affine, Box

if TYPE_CHECKING:
    from pathlib import Path

VALUES = [
    None,
    1.5,
    "µm",
    (1, [2, (3,)], {"a": None}),
    {1: "0", "x": (True, False)},
    Box(1, 2, 3, 4),
    (Box(1, 2, 3, 4), {"deep": [Box(0, 0, 1, 1)]}),
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_values_come_back(tmp_path: Path, value: Any) -> None:
    pack(tmp_path / "v.npz", value)
    assert unpack(tmp_path / "v.npz") == value


def test_arrays_and_dataclasses_come_back_with_their_types(tmp_path: Path) -> None:
    value = {
        "map": Affine.rotation(30.0),
        "codes": np.array([1, 255], np.uint8),
        "words": np.array(["0", "3+"]),
    }
    pack(tmp_path / "v.npz", value)
    found = unpack(tmp_path / "v.npz")
    np.testing.assert_array_equal(found["map"].matrix, value["map"].matrix)  # type: ignore[attr-defined]
    assert found["codes"].dtype == np.uint8
    assert found["words"].tolist() == ["0", "3+"]


@pytest.mark.parametrize(
    "value", [object(), {1, 2}, np.array([object()]), print], ids=["object", "set", "objects", "function"]
)
def test_what_could_run_is_not_stored(tmp_path: Path, value: Any) -> None:
    with pytest.raises(TypeError, match="a stage cannot store"):
        pack(tmp_path / "v.npz", value)


@pytest.mark.parametrize(
    "name", ["os:system", "subprocess:Popen", "napari_her2.store.files:write_bytes", "napari_her2.nowhere:X"]
)
def test_a_file_cannot_name_other_classes(tmp_path: Path, name: str) -> None:
    import json

    tree = json.dumps({"class": name, "fields": {}}).encode()
    np.savez(tmp_path / "v.npz", tree=np.frombuffer(tree, np.uint8))
    with pytest.raises(CaseError, match="--restart"):
        unpack(tmp_path / "v.npz")


def test_a_damaged_file_is_one_sentence(tmp_path: Path) -> None:
    pack(tmp_path / "v.npz", np.zeros(100))
    whole = (tmp_path / "v.npz").read_bytes()
    (tmp_path / "v.npz").write_bytes(whole[:100])
    with pytest.raises(CaseError):
        unpack(tmp_path / "v.npz")


def test_a_stage_is_found_under_its_key_only(tmp_path: Path) -> None:
    store = StageStore(tmp_path / ".stages")
    one, two = key_of({"slide": "a", "um": 0.25}), key_of({"slide": "a", "um": 0.5})
    assert store.load("tissue", one) is None
    store.save("tissue", one, [1])
    assert store.load("tissue", one) == [1]
    assert store.load("tissue", two) is None
    store.save("tissue", two, [2])
    assert store.load("tissue", one) is None, "only the latest key is kept"


def test_parts_of_a_stage_lie_side_by_side(tmp_path: Path) -> None:
    store = StageStore(tmp_path)
    for part in ("a", "b"):
        store.save("cells", "k", part, part)
    assert [store.load("cells", "k", part) for part in ("a", "b", "c")] == ["a", "b", None]


def test_a_damaged_stage_is_made_anew(tmp_path: Path) -> None:
    store = StageStore(tmp_path)
    store.save("tissue", "k", 1)
    (tmp_path / "tissue" / "k" / "whole.npz").write_bytes(b"PK")
    assert store.load("tissue", "k") is None


def test_the_key_does_not_depend_on_the_order_of_facts() -> None:
    assert key_of({"a": 1, "b": 2}) == key_of({"b": 2, "a": 1}) != key_of({"a": 1, "b": 3})
