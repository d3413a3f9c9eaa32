"""Which models a run uses, and whether they can be used on its slides, before anything runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from napari_her2.case import key_of
from napari_her2.errors import ModelError
from napari_her2.models import find_model, list_models
from napari_her2.patches import plan_read
from napari_her2.vocabulary import SCORES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_her2.models import ModelEntry, ModelSpec
    from napari_her2.slides import Slide

__all__ = [
    "AUTO",
    "BACKGROUND",
    "CHECKERS",
    "ENGINE_VERSION",
    "MODELS",
    "TRANSFORMER",
    "Role",
    "check_serves",
    "choose_model",
    "is_plain_name",
    "model_facts",
    "tumour_class",
]

ENGINE_VERSION: Final = 3
"""Goes up when tissue, cells, scorers or their rules answer otherwise: what is kept is made again."""
TRANSFORMER: Final = "transformer"
AUTO: Final = "auto"
"""Cells make the call, and models of IHC look at a sample beside them; the default."""
CHECKERS: Final = ("stain_model", "segment_model")
"""Settings of the models that look beside the cells."""
BACKGROUND: Final = "background"
TUMOUR_WORDS: Final = ("tumour", "tumor", "invasive", "cancer", "malignant")


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """What one of the three models is for.

    Attributes
    ----------
    letter : str
        In the paper.
    what : str
        For messages.
    stain : {"he", "ihc"}
    tasks : tuple of str
        Of its spec.
    preferred : str
        Name of the package's own model.
    """

    letter: str
    what: str
    stain: str
    tasks: tuple[str, ...]
    preferred: str

    def fits(self, spec: ModelSpec) -> bool:
        """Whether a model can play this role."""
        return self.objection(spec) == ""

    def objection(self, spec: ModelSpec) -> str:
        """Return why a model cannot play this role; empty if it can."""
        if spec.stain != self.stain:
            return f"it is for {spec.stain.upper()} slides"
        if spec.task not in self.tasks:
            return f"its task is {spec.task}"
        if self.letter == "C":
            return "" if _tumour_index(spec) is not None else "none of its classes is called tumour"
        wanted = SCORES if self.letter == "L" else (BACKGROUND, *SCORES)
        return "" if spec.classes == wanted else f"its classes are not {', '.join(wanted)}"


MODELS: Final[Mapping[str, Role]] = MappingProxyType(
    {
        "tumour_model": Role(
            letter="C", what="tumour on H&E", stain="he", tasks=("classify",), preferred="tumour-tiny"
        ),
        "stain_model": Role(
            letter="L",
            what="scores of IHC patches",
            stain="ihc",
            tasks=("ordinal", "classify"),
            preferred="stain-tiny",
        ),
        "segment_model": Role(
            letter="M", what="scores of IHC pixels", stain="ihc", tasks=("segment",), preferred="segment-mini"
        ),
    }
)
"""By the setting that names it."""


def choose_model(setting: str, wish: str | None) -> ModelEntry:
    """Find the model for a role: the one wished for, else the package's own.

    Raises
    ------
    ModelError
        If there is none, or it cannot play the role.
    """
    role, option = MODELS[setting], setting.replace("_", "-")
    if wish is None:
        return _default(role, option)
    entry = find_model(wish)
    if why := role.objection(entry.spec):
        raise ModelError(f"{entry.spec.name} cannot tell {role.what} ({why}): choose another with --{option}")
    return entry


def _default(role: Role, option: str) -> ModelEntry:
    fitting = [entry for entry in list_models() if entry.origin == "packaged" and role.fits(entry.spec)]
    if not fitting:
        raise ModelError(
            f"no model for {role.what} comes with this version: name one with --{option}, or use "
            "--engine classical"
        )
    return next((entry for entry in fitting if entry.spec.name == role.preferred), fitting[0])


def check_serves(spec: ModelSpec, slide: Slide) -> None:
    """Tell whether a slide is fine enough for a model.

    Raises
    ------
    SlideError
        If it is too coarse, with both numbers.
    """
    plan_read(
        [slide.um_per_px * level.downsample for level in slide.levels],
        spec.um_per_px,
        name=slide.name,
        coarsest_um=spec.coarsest_um_per_px,
    )


def tumour_class(spec: ModelSpec) -> int:
    """Index of the class that means invasive tumour.

    Raises
    ------
    ModelError
        If no class is called so.
    """
    index = _tumour_index(spec)
    if index is None:
        raise ModelError(f"none of the classes of {spec.name} is called tumour: choose another model")
    return index


def _tumour_index(spec: ModelSpec) -> int | None:
    names = [name.lower() for name in spec.classes]
    return next((names.index(word) for word in TUMOUR_WORDS if word in names), None)


def model_facts(spec: ModelSpec) -> str:
    """Return a key of all that a model's answers depend on, for the keys of stages."""
    plain = spec.to_json()
    for prose in ("metrics", "licence", "trained_on", "made_with"):
        plain.pop(prose)
    return key_of(plain)


def is_plain_name(wish: str) -> bool:
    """Whether a wish is a model's name rather than a path, which may name people."""
    return Path(wish).name == wish and not wish.endswith(".json")
