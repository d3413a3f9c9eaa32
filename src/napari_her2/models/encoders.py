"""Known encoders of pathology by name: recipes are data, checkpoints are the user's own."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from napari_her2.errors import ModelError, UsageError
from napari_her2.models.adapters import Pooling, TimmAdapter
from napari_her2.models.places import standard_places
from napari_her2.models.spec import Colour, Name, Text  # noqa: TC001 - pydantic needs them

if TYPE_CHECKING:
    from pathlib import Path

    from napari_her2.models._torch_model import TorchEncoder
    from napari_her2.models.precision import Precision

__all__ = ["EncoderRecipe", "encoder_recipe", "list_encoders", "load_encoder"]


class EncoderRecipe(BaseModel):
    """How a published encoder is made, fed and read out.

    Attributes
    ----------
    name, title : str
    adapter : TimmAdapter
        Model, options and pooling; the head is of no use here.
    layout : {"timm", "huggingface"}
        Names of the tensors in the published checkpoint.
    features : int
        Length of a feature vector.
    um_per_px, size_px, mean, std, stain
        As in :class:`ModelSpec`.
    licence : str
        Of the weights, not of this package.
    repository, file : str
        Where it is published on the Hugging Face hub; nothing is downloaded unless asked for.
    unchecked : tuple of str
        Fields that were written from memory and not seen in a source.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: Name
    title: Text
    adapter: TimmAdapter
    layout: Literal["timm", "huggingface"] = "timm"
    features: int = Field(ge=1, le=8192)
    um_per_px: float = Field(ge=0.02, le=100)
    size_px: int = Field(ge=16, le=4096)
    mean: Colour
    std: Colour
    stain: Literal["he", "ihc", "any"]
    licence: Text
    repository: Text
    file: Text
    unchecked: tuple[str, ...] = ()


@cache
def _recipes() -> dict[str, EncoderRecipe]:
    import yaml

    text = files("napari_her2.models").joinpath("encoders.yaml").read_text(encoding="utf-8")
    held: dict[str, Any] = yaml.safe_load(text)
    return {name: _recipe(name, facts) for name, facts in held.items()}


def _recipe(name: str, facts: dict[str, Any]) -> EncoderRecipe:
    facts = dict(facts)
    pooling: Pooling = facts.pop("pooling")
    adapter = TimmAdapter(model=facts.pop("model"), options=facts.pop("options", {}), pooling=pooling)
    return EncoderRecipe(name=name, adapter=adapter, **facts)


def list_encoders() -> tuple[EncoderRecipe, ...]:
    """All recipes."""
    return tuple(_recipes().values())


def encoder_recipe(name: str) -> EncoderRecipe:
    """Return a recipe by name.

    Raises
    ------
    UsageError
        If there is none.
    """
    recipes = _recipes()
    if name not in recipes:
        raise UsageError(f"there is no recipe for the encoder {name!r}: choose one of {', '.join(recipes)}")
    return recipes[name]


def load_encoder(
    recipe: str | EncoderRecipe,
    checkpoint: Path | None = None,
    *,
    device: str = "cpu",
    precision: Precision = "float32",
    sha256: str | None = None,
    allow_download: bool = False,
) -> TorchEncoder:
    """Return an encoder with ``features(batch)`` from a local checkpoint.

    Parameters
    ----------
    recipe : str or EncoderRecipe
    checkpoint : Path, optional
        A safetensors file or a torch state dict.
    device, precision
        See :func:`load_model`.
    sha256 : str, optional
        Hash of the checkpoint, if its source states one.
    allow_download : bool
        Whether a missing checkpoint may be fetched from the hub into the cache, under its licence.

    Raises
    ------
    ModelError
        If there is no checkpoint, its hash differs, it holds code, or it does not fit the recipe.
    """
    from napari_her2.models.files import SAY, check_hash, kind_of

    recipe = encoder_recipe(recipe) if isinstance(recipe, str) else recipe
    path = checkpoint or _fetched(recipe, allow_download)
    if not path.is_file():
        raise ModelError(f"{path.name} does not exist: give the checkpoint of {recipe.title}")
    if sha256 is not None:
        check_hash(path, sha256.lower())
    kind = kind_of(path)
    if kind not in ("safetensors", "state"):
        raise ModelError(f"{path.name} is {SAY[kind]}: give safetensors or a torch state dict")
    return _loaded(recipe, path, kind == "state", device, precision)


def _loaded(
    recipe: EncoderRecipe, path: Path, state_dict: bool, device: str, precision: Precision
) -> TorchEncoder:
    from napari_her2.models._torch_model import TorchEncoder
    from napari_her2.models._vit import PooledBackbone
    from napari_her2.models.naming import to_timm
    from napari_her2.models.weights import load_weights

    body = PooledBackbone(recipe.adapter.model, recipe.adapter.options, recipe.adapter.pooling)
    if body.width != recipe.features:
        raise ModelError(
            f"{recipe.name} gives {body.width} features, its recipe says {recipe.features}: fix it"
        )
    rename = to_timm if recipe.layout == "huggingface" else None
    load_weights(body.backbone, path, state_dict=state_dict, model=recipe.title, rename=rename)
    return TorchEncoder(recipe, body, device, precision)


def _fetched(recipe: EncoderRecipe, allow_download: bool) -> Path:
    from pathlib import Path

    if not allow_download:
        raise ModelError(
            f"{recipe.title} has no weights here and nothing is downloaded unasked: give its checkpoint, or "
            f"allow the download from {recipe.repository} with --allow-download (licence: {recipe.licence})"
        )
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError

    try:
        return Path(
            hf_hub_download(recipe.repository, recipe.file, cache_dir=standard_places().cache / "encoders")
        )
    except (HfHubHTTPError, OSError, ValueError) as error:
        first = (str(error).strip().splitlines() or ["no answer"])[0][:160]
        raise ModelError(
            f"{recipe.title} cannot be fetched from {recipe.repository} ({first}): accept its licence there "
            "and log in, or give a local checkpoint"
        ) from error
