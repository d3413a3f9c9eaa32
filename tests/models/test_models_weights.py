"""Files of weights: what goes out comes in, and what is wrong or hostile is refused by name."""

from __future__ import annotations

import json
import struct
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from napari_her2.errors import ModelError
from napari_her2.models import build_network, save_weights
from napari_her2.models.files import kind_of
from napari_her2.models.loading import load_from
from napari_her2.models.weights import load_weights
from napari_her2.store import sha256_of


class Hostile:
    """Unpickled, it would write a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (self.marker, "run")


def restated(spec: Any, folder: Path, weights: str) -> Any:
    """Return the spec for another file, with its true hash: only its content can give it away."""
    return spec.model_copy(update={"weights": weights, "sha256": sha256_of(folder / weights)})


@pytest.mark.parametrize(("dtype", "away"), [("float32", 0), ("float16", 1e-3), ("bfloat16", 1e-2)])
def test_weights_survive_their_file(write_model: Any, tmp_path: Path, dtype: Any, away: float) -> None:
    spec, _ = write_model("segment")
    network, other = build_network(spec), build_network(spec)
    path = tmp_path / "w.safetensors"
    assert save_weights(network, path, dtype) == sha256_of(path)
    load_weights(other, path, state_dict=False, model="it")
    for name, tensor in other.state_dict().items():
        want = network.state_dict()[name]
        assert tensor.dtype == want.dtype
        torch.testing.assert_close(tensor, want, atol=1e-6, rtol=away)


def test_numbers_that_half_precision_cannot_hold(tmp_path: Path) -> None:
    network = nn.Linear(2, 2)
    nn.init.constant_(network.weight, 1e6)
    with pytest.raises(ModelError, match=r"weight is not finite as float16"):
        save_weights(network, tmp_path / "w.safetensors")
    assert not list(tmp_path.iterdir())
    save_weights(network, tmp_path / "w.safetensors", "bfloat16")


def test_one_changed_byte_is_noticed(write_model: Any) -> None:
    spec, folder = write_model()
    path = folder / spec.weights
    held = bytearray(path.read_bytes())
    held[-5] ^= 1
    path.write_bytes(held)
    with pytest.raises(ModelError, match=r"small\.safetensors is not the file its spec was made for"):
        load_from(spec, folder)


def test_missing_weights(write_model: Any) -> None:
    spec, folder = write_model()
    (folder / spec.weights).unlink()
    with pytest.raises(ModelError, match=r"small\.safetensors is not beside its spec"):
        load_from(spec, folder)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_links_that_lead_elsewhere(write_model: Any, tmp_path: Path) -> None:
    spec, folder = write_model()
    (folder / spec.weights).rename(tmp_path / "away.safetensors")
    (folder / spec.weights).symlink_to(tmp_path / "away.safetensors")
    with pytest.raises(ModelError, match="link to another folder"):
        load_from(spec, folder)


def changed(state: dict[str, Any], how: str) -> dict[str, Any]:
    first, second = list(state)[1], list(state)[5]
    if how == "shape":
        return {**state, first: state[first][..., :-1].contiguous(), second: torch.zeros(1)}
    if how == "lacks":
        return {name: tensor for name, tensor in state.items() if name not in (first, second)}
    if how == "more":
        return {**state, "zz.extra": torch.zeros(3), "zzz": torch.zeros(1)}
    return {**state, second: torch.full_like(state[second], torch.nan)}


@pytest.mark.parametrize("suffix", ["safetensors", "pt"])
@pytest.mark.parametrize(
    ("how", "word"),
    [
        ("shape", r"body\.backbone\.pos_embed is \(1, 17, 23\) in the file, \(1, 17, 24\) in the model"),
        ("lacks", r"it lacks body\.backbone\.pos_embed \(1, 17, 24\)"),
        ("more", r"it also holds zz\.extra \(3,\)"),
        ("nan", r"not finite in body\.backbone\.blocks\.0\.norm1\.bias"),
    ],
)
def test_the_first_tensor_that_differs_is_named(write_model: Any, suffix: str, how: str, word: str) -> None:
    spec, folder = write_model()
    state = changed(build_network(spec).state_dict(), how)
    name = f"other.{suffix}"
    if suffix == "pt":
        torch.save(state, folder / name)
    else:
        save_file({key: tensor.clone() for key, tensor in state.items()}, folder / name)
    with pytest.raises(ModelError, match=word) as caught:
        load_from(restated(spec, folder, name), folder)
    assert len(str(caught.value)) <= 500


@pytest.mark.parametrize("key", [None, "state_dict", "model"])
def test_state_dicts_of_torch_are_read(write_model: Any, key: str | None) -> None:
    spec, folder = write_model()
    network = build_network(spec)
    state = network.state_dict()
    torch.save(state if key is None else {key: state, "epoch": 3}, folder / "w.pth")
    model: Any = load_from(restated(spec, folder, "w.pth"), folder)
    for name, tensor in model.network.state_dict().items():
        torch.testing.assert_close(tensor, state[name])


def _torch_file(path: Path, marker: Path) -> None:
    torch.save({"weight": torch.zeros(2), "evil": Hostile(marker)}, path)


def _bare_hostile(path: Path, marker: Path) -> None:
    torch.save(Hostile(marker), path)


def _old_torch_file(path: Path, marker: Path) -> None:
    torch.save({"weight": Hostile(marker)}, path, _use_new_zipfile_serialization=False)


def _renamed(path: Path, marker: Path) -> None:
    _torch_file(path, marker)


def _whole_module(path: Path, _: Path) -> None:
    torch.save(nn.Linear(2, 2), path)


def _not_tensors(path: Path, _: Path) -> None:
    torch.save({"weight": "text"}, path)


def _text(path: Path, _: Path) -> None:
    path.write_text("<html>not found</html>")


def _empty(path: Path, _: Path) -> None:
    path.write_bytes(b"")


def _any_zip(path: Path, _: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "a")


def _half_zip(path: Path, marker: Path) -> None:
    torch.save({"weight": torch.zeros(1000)}, path)
    path.write_bytes(path.read_bytes()[:600])


def _giant_header(path: Path, _: Path) -> None:
    path.write_bytes(struct.pack("<Q", 2**60) + b"{" + b" " * 100)


def _beyond_the_end(path: Path, _: Path) -> None:
    header = json.dumps({"a": {"dtype": "F32", "shape": [9], "data_offsets": [0, 36]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + b"\0" * 8)


HOSTILE = [
    ("w.pt", _torch_file), ("w.pt", _bare_hostile), ("w.pt", _old_torch_file), ("w.safetensors", _renamed),
    ("w.pt", _whole_module), ("w.pt", _not_tensors), ("w.safetensors", _text), ("w.safetensors", _empty),
    ("w.pt", _any_zip), ("w.pt", _half_zip), ("w.safetensors", _giant_header),
    ("w.safetensors", _beyond_the_end),
]  # fmt: skip


@pytest.mark.parametrize(("name", "make"), HOSTILE, ids=[make.__name__.strip("_") for _, make in HOSTILE])
def test_hostile_and_broken_files_are_refused(write_model: Any, tmp_path: Path, name: str, make: Any) -> None:
    spec, folder = write_model()
    marker = tmp_path / "marker"
    make(folder / name, marker)
    with pytest.raises(ModelError, match=name) as caught:
        load_from(restated(spec, folder, name), folder)
    assert not marker.exists()
    assert len(str(caught.value)) <= 500


def test_the_hostile_file_would_act_if_it_were_trusted(tmp_path: Path) -> None:
    _torch_file(tmp_path / "w.pt", tmp_path / "marker")
    torch.load(tmp_path / "w.pt", weights_only=False)
    assert (tmp_path / "marker").exists()


def test_kinds_of_files(tmp_path: Path) -> None:
    save_weights(nn.Linear(2, 2), tmp_path / "a.bin", "float32")
    torch.save({}, tmp_path / "b.safetensors")
    (tmp_path / "c.onnx").write_bytes(b"\x08\x07\x12\x04test\x3a\x10abcdefghijklmnop")
    assert [kind_of(tmp_path / name) for name in ("a.bin", "b.safetensors", "c.onnx")] == [
        "safetensors", "state", "onnx"
    ]  # fmt: skip
