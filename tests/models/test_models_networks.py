"""Classifiers on timm: the shapes, the input, independence of the batch, pooling and rollout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from tests.models.small import VIT

from napari_her2.errors import ModelError
from napari_her2.models import (
    FeatureModel,
    PatchModel,
    TimmAdapter,
    attention_rollout,
    blueprint,
    build_network,
)
from napari_her2.models._torch_model import PixelInput, TorchPatchModel
from napari_her2.models._vit import PooledBackbone
from napari_her2.models.loading import load_from

if TYPE_CHECKING:
    from collections.abc import Callable

    Batch = Callable[..., np.ndarray]


@pytest.mark.parametrize("task", ["classify", "ordinal", "segment"])
def test_what_comes_out_of_a_loaded_model(task: str, write_model: Any, batch: Batch) -> None:
    spec, folder = write_model(task)
    model = load_from(spec, folder)
    assert isinstance(model, PatchModel)
    assert isinstance(model, FeatureModel)
    patches = batch(5, spec.size_px)
    out = model.predict(patches)
    shape = (5, len(spec.classes)) + ((spec.size_px,) * 2 if task == "segment" else ())
    assert (out.shape, out.dtype) == (shape, np.float32)
    assert 0 <= out.min() <= out.max() <= 1
    np.testing.assert_allclose(out.sum(1), 1, atol=1e-5)
    features = model.features(patches)
    assert features.shape[0] == 5
    assert features.dtype == np.float32
    assert features.std(axis=0).max() > 0
    np.testing.assert_allclose(model.predict(patches[[3]]), out[[3]], atol=1e-6)
    np.testing.assert_allclose(model.predict(patches[::-1]), out[::-1], atol=1e-6)


@pytest.mark.parametrize("task", ["classify", "segment"])
def test_half_precision_is_near(task: str, write_model: Any, batch: Batch) -> None:
    spec, folder = write_model(task)
    patches = batch(2, spec.size_px)
    full = load_from(spec, folder).predict(patches)
    half = load_from(spec, folder, precision="bfloat16").predict(patches)
    assert half.dtype == np.float32
    assert 0 < np.abs(full - half).max() < 0.02


@pytest.mark.parametrize(
    "patches",
    [
        np.zeros((1, 32, 32, 3), np.float32),
        np.zeros((1, 31, 32, 3), np.uint8),
        np.zeros((32, 32, 3), np.uint8),
    ],
)
def test_other_patches_are_refused(write_model: Any, patches: np.ndarray) -> None:
    spec, folder = write_model()
    with pytest.raises(ValueError, match="uint8"):
        load_from(spec, folder).predict(patches)


def test_pixels_are_normalised_as_timm_does() -> None:
    from torchvision.transforms.functional import normalize, to_tensor

    mean, std = (0.7, 0.5, 0.6), (0.2, 0.25, 0.3)
    patches = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), np.uint8)
    got = PixelInput(16, mean, std, "cpu", "float32")(patches)
    want = torch.stack([normalize(to_tensor(patch), mean, std) for patch in patches])
    torch.testing.assert_close(got, want, atol=1e-6, rtol=1e-6)


def test_tumour_tiny_has_the_size_of_its_kind() -> None:
    plan = blueprint("tumour-tiny")
    network = build_network(plan)
    weights = sum(p.numel() for p in network.parameters())
    assert 5.4e6 < weights < 5.6e6
    spec = plan.spec(name="x", weights="x.safetensors", sha256="0" * 64, licence="-", trained_on="-")
    model = TorchPatchModel(spec, network, "cpu", "float32")
    assert model.predict(np.zeros((1, 224, 224, 3), np.uint8)).shape == (1, 2)


def test_pooling() -> None:
    options = VIT["options"] | {"reg_tokens": 2}
    torch.manual_seed(0)
    bodies = {
        name: PooledBackbone(VIT["model"], options, name) for name in ("token", "avg", "token+avg", "default")
    }
    for body in bodies.values():
        body.load_state_dict(bodies["token"].state_dict())
        body.eval()
    pixels = torch.randn(3, 3, 32, 32)
    with torch.inference_mode():
        out = {name: body(pixels) for name, body in bodies.items()}
        tokens = bodies["token"].backbone.forward_features(pixels)
    torch.testing.assert_close(out["token"], out["default"])
    torch.testing.assert_close(out["avg"], tokens[:, 3:].mean(1))
    torch.testing.assert_close(out["token+avg"], torch.cat([out["token"], out["avg"]], 1))
    assert {name: body.width for name, body in bodies.items()} == dict(
        zip(bodies, (24, 24, 48, 24), strict=True)
    )


@pytest.mark.parametrize(
    ("adapter", "word"),
    [
        (TimmAdapter(model="vit_of_nobody"), "vit_of_nobody"),
        (TimmAdapter(model="resnet10t", pooling="token"), "no tokens"),
        (TimmAdapter(model="resnet10t", options={"mlp_ratio": 2}, pooling="default"), "resnet10t"),
        (TimmAdapter(model="vit_tiny_patch16_224", options={"embed_dim": 25}), "vit_tiny"),
        (TimmAdapter(model="vit_tiny_patch16_224", options={"mlp_layer": "os"}), "mlp_layer"),
    ],
)
def test_what_timm_cannot_make_is_an_error_of_ours(adapter: TimmAdapter, word: str) -> None:
    from napari_her2.models._vit import PatchClassifier

    with pytest.raises(ModelError, match=word):
        PatchClassifier(adapter, 2)


def test_models_without_tokens_work_by_their_own_pooling(write_model: Any, batch: Batch) -> None:
    adapter = {"kind": "timm", "model": "resnet10t", "pooling": "default"}
    spec, folder = write_model(adapter=adapter)
    model = load_from(spec, folder)
    assert model.predict(batch(2, 32)).shape == (2, 2)
    with pytest.raises(ModelError, match="shows no attention"):
        attention_rollout(model, batch(2, 32))


@pytest.mark.parametrize("prefix", [{}, {"reg_tokens": 2}])
def test_rollout_is_the_product_of_the_layers_attention(
    write_model: Any, batch: Batch, prefix: dict[str, int]
) -> None:
    spec, folder = write_model(adapter={**VIT, "options": {**VIT["options"], **prefix}})
    model = load_from(spec, folder)
    patches = batch(3, 32)
    got = attention_rollout(model, patches)
    assert got.shape == (3, 4, 4)
    np.testing.assert_allclose(got.sum((1, 2)), 1, atol=1e-5)
    assert got.min() > 0
    # The same from timm's own attention, taken where it drops none of it.
    seen: list[np.ndarray] = []
    for block in model.network.body.backbone.blocks:
        block.attn.fused_attn = False
        block.attn.attn_drop.register_forward_hook(lambda _, __, out: seen.append(out.mean(1).numpy()))
    model.features(patches)
    tokens = seen[0].shape[-1]
    flow = np.eye(tokens)
    for attention in seen:
        flow = (attention + np.eye(tokens)) / 2 @ flow
    want = flow[:, 0, 1 + prefix.get("reg_tokens", 0) :]
    np.testing.assert_allclose(got.reshape(3, -1), want / want.sum(1, keepdims=True), atol=1e-5)
