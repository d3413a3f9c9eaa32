"""TorchScript and the WSInfer zoo's layout: no code runs before it is trusted."""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch import nn

from napari_her2.errors import InferenceError, ModelError
from napari_her2.models import add_model, find_model, is_trusted, load_model, trust, withdraw_trust
from napari_her2.store import sha256_of

if TYPE_CHECKING:
    from pathlib import Path

    from napari_her2.models import Places

CONFIG = {
    "spec_version": "1.0",
    "architecture": "resnet34",
    "num_classes": 2,
    "class_names": ["notumor", "tumor"],
    "patch_size_pixels": 50,
    "spacing_um_px": 0.25,
    "transform": [
        {"name": "Resize", "arguments": {"size": 32}},
        {"name": "ToTensor"},
        {"name": "Normalize", "arguments": {"mean": [0.7, 0.6, 0.7], "std": [0.1, 0.2, 0.1]}},
    ],
}


class Mean(nn.Module):
    """Logits are means of the first channels."""

    def __init__(self, classes: int = 2) -> None:
        super().__init__()
        self.classes = classes

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return pixels.mean(dim=(2, 3))[:, : self.classes]


def zoo(folder: Path, config: Any = CONFIG, classes: int = 2) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls TorchScript old; the zoo still uses it
        torch.jit.save(
            torch.jit.trace(Mean(classes), torch.zeros(1, 3, 8, 8)), folder / "torchscript_model.pt"
        )
    return folder


@pytest.fixture
def no_loading(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let nothing be opened as TorchScript, and tell who tried."""
    tried: list[str] = []
    monkeypatch.setattr(torch.jit, "load", lambda *args, **_: tried.append(str(args)))
    return tried


def test_a_zoo_model_is_refused_until_it_is_trusted(
    tmp_path: Path, places: Places, no_loading: list[str]
) -> None:
    folder = zoo(tmp_path / "Breast Tumor")
    with pytest.raises(ModelError, match=r"runs code of its maker.*--trust"):
        add_model(folder, places=places)
    assert not no_loading
    assert not places.user.exists()


def test_a_trusted_zoo_model_runs(tmp_path: Path, places: Places) -> None:
    entry = add_model(zoo(tmp_path / "Breast Tumor"), trusted=True, places=places)
    spec = entry.spec
    assert (spec.name, spec.classes, spec.size_px) == ("breast-tumor", ("notumor", "tumor"), 32)
    assert spec.size_um == pytest.approx(12.5)
    assert spec.um_per_px == pytest.approx(0.25 * 50 / 32)
    patches = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
    got = load_model("breast-tumor", places=places).predict(patches)
    logits = (patches.mean((1, 2)) / 255 - [0.7, 0.6, 0.7]) / [0.1, 0.2, 0.1]
    powers = np.exp(logits[:, :2])
    np.testing.assert_allclose(got, powers / powers.sum(1, keepdims=True), atol=1e-4)


def test_trust_is_for_one_file_and_can_be_withdrawn(tmp_path: Path, places: Places) -> None:
    entry = add_model(zoo(tmp_path / "model"), trusted=True, places=places)
    assert is_trusted(entry.spec.sha256, places)
    assert not is_trusted("a" * 64, places)
    withdraw_trust(entry.spec.sha256, places)
    with pytest.raises(ModelError, match="--trust"):
        load_model("model", places=places)
    trust(entry.spec.sha256, "model", places)
    load_model("model", places=places)
    path = places.user / "model.pt"
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(ModelError, match=r"model\.pt is not the file"):
        load_model("model", places=places)


def test_a_damaged_record_of_trust_trusts_nobody(tmp_path: Path, places: Places) -> None:
    places.config.mkdir()
    for text in ("{", '{"trusted": []}', "[]"):
        (places.config / "trusted-models.json").write_text(text)
        with pytest.raises(ModelError, match=r"trusted-models\.json"):
            add_model(zoo(tmp_path / "model"), trusted=True, places=places)


def test_trust_does_not_make_a_pickle_a_model(tmp_path: Path, places: Places) -> None:
    folder = zoo(tmp_path / "model")
    torch.save({"weight": torch.zeros(2)}, folder / "torchscript_model.pt")
    with pytest.raises(ModelError, match="needs a TorchScript archive"):
        add_model(folder, trusted=True, places=places)
    assert not places.config.exists()


def test_torchscript_is_not_taken_for_a_state_dict(
    write_model: Any, places: Places, tmp_path: Path, no_loading: list[str]
) -> None:
    spec, folder = write_model()
    zoo(folder)
    (folder / "config.json").unlink()
    name = "torchscript_model.pt"
    other = spec.to_json() | {"weights": name, "sha256": sha256_of(folder / name)}
    (folder / "spec.json").write_text(json.dumps(other))
    with pytest.raises(ModelError, match="is a TorchScript archive, but a timm model needs"):
        find_model(str(folder / "spec.json"), places).load(places=places)
    assert not no_loading


def test_more_classes_than_the_spec_names(tmp_path: Path, places: Places) -> None:
    add_model(zoo(tmp_path / "model", classes=3), trusted=True, places=places)
    with pytest.raises(InferenceError, match=r"gives \(1, 3\), but its spec names 2 classes"):
        load_model("model", places=places).predict(np.zeros((1, 32, 32, 3), np.uint8))


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"transform": [{"name": "Invert"}]}, "Invert"),
        ({"class_names": None}, "form"),
        ({"spacing_um_px": "fine"}, "form"),
        ({"patch_size_pixels": 0}, "config.json"),
        ({"transform": [{"name": "Resize", "arguments": {"size": [32, 64]}}]}, "square"),
        ({"transform": "none"}, "form"),
        ({"class_names": ["a", "a"]}, "same name"),
    ],
)
def test_configurations_that_cannot_be_used(
    tmp_path: Path, places: Places, change: dict[str, Any], word: str
) -> None:
    with pytest.raises(ModelError, match=word):
        add_model(zoo(tmp_path / "model", {**CONFIG, **change}), trusted=True, places=places)


def test_without_resizing_or_normalisation(tmp_path: Path, places: Places) -> None:
    spec = add_model(
        zoo(tmp_path / "m", {**CONFIG, "transform": [{"name": "ToTensor"}]}), trusted=True, places=places
    )
    assert (spec.spec.size_px, spec.spec.um_per_px) == (50, 0.25)
    assert (spec.spec.mean, spec.spec.std) == ((0, 0, 0), (1, 1, 1))
