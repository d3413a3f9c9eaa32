"""The three models of this project in their sizes: everything of a spec but weights and their story."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from napari_her2.errors import UsageError
from napari_her2.models.adapters import MaskFormerAdapter, TimmAdapter
from napari_her2.models.spec import ModelSpec
from napari_her2.vocabulary import SCORES

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["BLUEPRINTS", "Blueprint", "blueprint"]

HALF: Final = (0.5, 0.5, 0.5)
"""Normalisation of the ViTs that timm trained with augmentation and regularisation."""
IMAGENET_MEAN: Final = (0.485, 0.456, 0.406)
IMAGENET_STD: Final = (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True, kw_only=True)
class Blueprint:
    """A model before it is trained; the attributes are those of :class:`ModelSpec`."""

    task: Literal["classify", "ordinal", "segment"]
    stain: Literal["he", "ihc"]
    um_per_px: float
    size_px: int
    classes: tuple[str, ...]
    adapter: TimmAdapter | MaskFormerAdapter
    mean: tuple[float, float, float] = HALF
    std: tuple[float, float, float] = HALF

    def spec(self, *, name: str, weights: str, sha256: str, **story: Any) -> ModelSpec:
        """Return the spec of trained weights; ``story`` is licence, trained_on, metrics, reference."""
        facts = {field: getattr(self, field) for field in self.__slots__}
        return ModelSpec(**facts, name=name, weights=weights, sha256=sha256, **story)


def _tumour(size: str) -> Blueprint:
    return Blueprint(
        task="classify", stain="he", um_per_px=0.5, size_px=224, classes=("other", "tumour"),
        adapter=TimmAdapter(model=f"vit_{size}_patch16_224"),
    )  # fmt: skip


def _stain(size: str, size_px: int) -> Blueprint:
    options: dict[str, bool | int | float | str] = {} if size_px == 224 else {"img_size": size_px}
    return Blueprint(
        task="ordinal", stain="ihc", um_per_px=0.25, size_px=size_px, classes=SCORES,
        adapter=TimmAdapter(model=f"vit_{size}_patch16_224", options=options, head="ordinal"),
    )  # fmt: skip


def _segment(adapter: MaskFormerAdapter) -> Blueprint:
    return Blueprint(
        task="segment", stain="ihc", um_per_px=0.25, size_px=512, classes=("background", *SCORES),
        adapter=adapter, mean=IMAGENET_MEAN, std=IMAGENET_STD,
    )  # fmt: skip


def _tissue(adapter: MaskFormerAdapter) -> Blueprint:
    """At 1 µm/px, where a duct's outline is in view."""
    return Blueprint(
        task="segment", stain="he", um_per_px=1.0, size_px=256,
        classes=("background", "invasive", "in_situ", "lymphoid", "stroma"),
        adapter=adapter, mean=IMAGENET_MEAN, std=IMAGENET_STD,
    )  # fmt: skip


BLUEPRINTS: Final[Mapping[str, Blueprint]] = {
    **{f"tumour-{size}": _tumour(size) for size in ("tiny", "small", "base")},
    **{f"stain-{size}-{px}": _stain(size, px) for size in ("tiny", "small", "base") for px in (224, 512)},
    "segment-mini": _segment(MaskFormerAdapter.mini()),
    "segment-tiny": _segment(MaskFormerAdapter.tiny()),
    "tissue-mini": _tissue(MaskFormerAdapter.mini()),
}
"""C (``tumour-*``), L (``stain-*-224``, ``-512``), M (``segment-*``) of the paper; ``tissue-*`` see H&E."""


def blueprint(name: str) -> Blueprint:
    """Return a model of this project by name.

    Raises
    ------
    UsageError
        If there is none of that name.
    """
    if name not in BLUEPRINTS:
        raise UsageError(f"there is no model plan {name!r}: choose one of {', '.join(BLUEPRINTS)}")
    return BLUEPRINTS[name]
