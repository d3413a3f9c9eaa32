"""Recipes of published encoders: they can be made, and checkpoints in either naming are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import huggingface_hub
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.models.small import VIT

if TYPE_CHECKING:
    from pathlib import Path

from napari_her2.errors import ModelError, UsageError
from napari_her2.models import EncoderRecipe, TimmAdapter, encoder_recipe, list_encoders, load_encoder
from napari_her2.models._vit import PooledBackbone

MILLIONS = {  # of parameters of the architectures they name, heads left out
    "uni": 303, "uni2-h": 681, "virchow": 631, "virchow2": 631, "phikon": 86, "phikon-v2": 303,
    "h-optimus-0": 1135, "h-optimus-1": 1135, "stainnet-small": 22, "stainnet-base": 86,
    "dinov2-small": 22, "dinov2-base": 87, "dinov2-large-reg4": 304, "dinov3-small": 22, "dinov3-base": 86,
}  # fmt: skip


def small(**changes: Any) -> EncoderRecipe:
    adapter = TimmAdapter(model=VIT["model"], options=VIT["options"] | changes.pop("options", {}))
    facts = encoder_recipe("uni").model_dump() | {"features": 24, "size_px": 32, "adapter": adapter}
    return EncoderRecipe.model_validate({**facts, **changes})


@pytest.mark.parametrize("name", [recipe.name for recipe in list_encoders()])
def test_a_recipe_makes_a_network_of_the_size_it_is_known_for(name: str) -> None:
    recipe = encoder_recipe(name)
    with torch.device("meta"):  # shapes alone: the largest would fill the memory
        body = PooledBackbone(recipe.adapter.model, recipe.adapter.options, recipe.adapter.pooling)
    assert body.width == recipe.features
    assert sum(p.numel() for p in body.parameters()) / 1e6 == pytest.approx(MILLIONS[name], abs=0.6)
    assert set(recipe.unchecked) <= set(EncoderRecipe.model_fields) | {"options"}


def test_unknown_encoders() -> None:
    with pytest.raises(UsageError, match=r"'gpt'.*uni2-h"):
        encoder_recipe("gpt")


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_a_local_checkpoint_gives_features(tmp_path: Path, suffix: str) -> None:
    recipe = small()
    body = PooledBackbone(recipe.adapter.model, recipe.adapter.options, "token").eval()
    path = tmp_path / f"uni.{suffix}"
    state = body.backbone.state_dict()
    torch.save(state, path) if suffix == "pth" else save_file(state, path)
    encoder = load_encoder(recipe, path)
    patches = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
    with torch.inference_mode():
        want = body(encoder.input(patches))
    np.testing.assert_allclose(encoder.features(patches), want, atol=1e-6)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # raised inside transformers while it saves
@pytest.mark.parametrize("kind", ["vit", "dinov2"])
def test_checkpoints_in_the_names_of_hugging_face(tmp_path: Path, kind: str) -> None:
    """The published files of Phikon: the same numbers come out as from transformers itself."""
    from transformers import Dinov2Config, Dinov2Model, ViTConfig, ViTModel

    torch.manual_seed(0)
    sizes: dict[str, Any] = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
    sizes |= {"image_size": 32, "patch_size": 8}
    theirs: Any = Dinov2Model(Dinov2Config(**sizes))
    if kind == "vit":
        theirs = ViTModel(ViTConfig(intermediate_size=96, **sizes))
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    theirs.eval().save_pretrained(tmp_path)
    recipe = small(layout="huggingface", options={"init_values": 1.0} if kind == "dinov2" else {})
    encoder = load_encoder(recipe, tmp_path / "model.safetensors")
    patches = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
    with torch.inference_mode():
        want = theirs(encoder.input(patches)).last_hidden_state[:, 0]
    np.testing.assert_allclose(encoder.features(patches), want, atol=2e-4)


def test_names_that_nobody_knows_are_noticed(tmp_path: Path) -> None:
    recipe = small()
    body = PooledBackbone(recipe.adapter.model, recipe.adapter.options, "token")
    path = tmp_path / "x.safetensors"
    save_file(body.backbone.state_dict() | {"encoder.layer.0.strange.weight": torch.zeros(2)}, path)
    for layout in ("timm", "huggingface"):
        with pytest.raises(ModelError, match=r"UNI: it also holds .*strange"):
            load_encoder(recipe.model_copy(update={"layout": layout}), path)
    kept = {n: t for n, t in load_file(path).items() if "qkv" not in n and "strange" not in n}
    save_file(kept, path)
    with pytest.raises(ModelError, match=r"it lacks blocks\.0\.attn\.qkv\.weight \(72, 24\)"):
        load_encoder(recipe, path)


def test_nothing_is_downloaded_unasked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    def fetch(repository: str, file: str, *, cache_dir: Path) -> str:
        asked.append((repository, file))
        assert cache_dir == tmp_path / "cache" / "encoders"
        raise OSError("no network")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fetch)
    with pytest.raises(ModelError, match=r"nothing is downloaded unasked.*--allow-download.*CC-BY-NC-ND"):
        load_encoder("uni")
    assert not asked
    with pytest.raises(ModelError, match=r"UNI cannot be fetched from MahmoodLab/UNI \(no network\)"):
        load_encoder("uni", allow_download=True)
    assert asked == [("MahmoodLab/UNI", "pytorch_model.bin")]


def test_checkpoints_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "w.bin"
    with pytest.raises(ModelError, match=r"w\.bin does not exist"):
        load_encoder("uni", path)
    path.write_bytes(b"\x80\x02}q\x00.")
    with pytest.raises(ModelError, match="is a pickle"):
        load_encoder(small(), path)
    with pytest.raises(ModelError, match=r"w\.bin is not the file"):
        load_encoder(small(), path, sha256="a" * 64)
