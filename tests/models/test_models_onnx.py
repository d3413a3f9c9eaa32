"""ONNX graphs, where onnxruntime is installed; where it is not, the message says how."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.models.small import facts

from napari_her2.errors import InferenceError, ModelError
from napari_her2.models import ModelSpec, add_model, write_spec
from napari_her2.models.loading import load_from
from napari_her2.store import sha256_of

if TYPE_CHECKING:
    from pathlib import Path

    from napari_her2.models import Places


def varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def field(number: int, held: int | str | bytes) -> bytes:
    """One field of a protobuf message."""
    if isinstance(held, int):
        return varint(number << 3) + varint(held)
    held = held.encode() if isinstance(held, str) else held
    return varint(number << 3 | 2) + varint(len(held)) + held


def tensor(name: str, *dims: int | str) -> bytes:
    shape = b"".join(field(1, field(1 if isinstance(d, int) else 2, d)) for d in dims)
    return field(1, name) + field(2, field(1, field(1, 1) + field(2, shape)))


def graph(steps: tuple[str, ...] = ("GlobalAveragePool", "Flatten")) -> bytes:
    """Bytes of an ONNX model: means of the three channels, by hand so that no exporter is needed."""
    names = ["x", *(f"t{k}" for k in range(len(steps) - 1)), "y"]
    nodes = b"".join(
        field(1, field(1, names[k]) + field(2, names[k + 1]) + field(4, step)) for k, step in enumerate(steps)
    )
    body = nodes + field(2, "g") + field(11, tensor("x", "n", 3, 32, 32)) + field(12, tensor("y", "n", 3))
    return field(1, 8) + field(7, body) + field(8, field(2, 13))


def write(folder: Path, held: bytes, **changes: Any) -> ModelSpec:
    (folder / "m.onnx").write_bytes(held)
    given = {"adapter": {"kind": "onnx"}, "classes": ["a", "b", "c"], "weights": "m.onnx"}
    spec = ModelSpec.model_validate(facts(**(given | changes), sha256=sha256_of(folder / "m.onnx")))
    write_spec(spec, folder / "spec.json")
    return spec


def test_without_onnxruntime_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = write(tmp_path, graph())
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ModelError, match="pip install onnxruntime"):
        load_from(spec, tmp_path)


def test_the_hash_is_checked_before_anything_is_opened(tmp_path: Path, places: Places) -> None:
    spec = write(tmp_path, graph())
    (tmp_path / "m.onnx").write_bytes(graph() + b"\0")
    with pytest.raises(ModelError, match=r"m\.onnx is not the file"):
        load_from(spec, tmp_path, places=places)


@pytest.mark.parametrize("outputs", ["logits", "probabilities"])
def test_a_graph_predicts(tmp_path: Path, places: Places, outputs: str) -> None:
    pytest.importorskip("onnxruntime")
    write(tmp_path, graph(), adapter={"kind": "onnx", "outputs": outputs})
    model = add_model(tmp_path, places=places).load(places=places)
    patches = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8)
    means = (patches.mean((1, 2)) / 255 - 0.5) / 0.5
    powers = np.exp(means)
    want = powers / powers.sum(1, keepdims=True) if outputs == "logits" else means
    got = model.predict(patches)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, want, atol=1e-5)
    np.testing.assert_allclose(model.predict(patches[2:3]), got[2:3], atol=1e-6)


def test_graphs_of_another_shape(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    with pytest.raises(InferenceError, match=r"gives \(1, 3\), but its spec names 2 classes"):
        load_from(write(tmp_path, graph(), classes=["a", "b"]), tmp_path).predict(
            np.zeros((1, 32, 32, 3), np.uint8)
        )
    with pytest.raises(InferenceError, match="small-tumour failed"):
        load_from(write(tmp_path, graph()), tmp_path).predict(np.zeros((1, 31, 32, 3), np.uint8))


@pytest.mark.parametrize("held", [b"nonsense", graph()[:-9], graph(("Flatten", "NoSuchStep"))])
def test_graphs_that_cannot_be_opened(tmp_path: Path, held: bytes) -> None:
    pytest.importorskip("onnxruntime")
    with pytest.raises(ModelError, match=r"m\.onnx cannot be opened as ONNX"):
        load_from(write(tmp_path, held), tmp_path)
