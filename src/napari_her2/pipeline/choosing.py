"""Which models a run asks, from its wishes: those that judge the whole area, and those that look beside."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from napari_her2.errors import ModelError, SlideError
from napari_her2.pipeline.engine import AUTO, CHECKERS, MODELS, TRANSFORMER, check_serves, choose_model
from napari_her2.pipeline.plan import SOURCES, needed_models

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_her2.models import ModelEntry
    from napari_her2.pipeline.request import Wishes
    from napari_her2.slides import Slide

__all__ = ["checkers_of", "first", "models_of"]


def first(wishes: Mapping[str, Wishes], name: str) -> Any:
    """Return the wish that is followed; None where there is none."""
    return next((value for source in SOURCES if (value := getattr(wishes[source], name)) is not None), None)


def models_of(
    wishes: Mapping[str, Wishes], ihc: Slide, he: Slide | None, *, drawn: bool
) -> dict[str, ModelEntry]:
    """Find the models that are named or needed; a slide too coarse for one is told before anything runs."""
    auto = first(wishes, "engine") in (None, AUTO)
    named = {name for name in MODELS if first(wishes, name) is not None and not (auto and name in CHECKERS)}
    needed: tuple[str, ...] = ()
    if first(wishes, "engine") == TRANSFORMER:
        needed = needed_models(he=he is not None, drawn=drawn)
        _check_device(first(wishes, "device"))
    found = {name: choose_model(name, first(wishes, name)) for name in MODELS if name in {*named, *needed}}
    for name in needed:
        slide = he if he is not None and MODELS[name].stain == "he" else ihc
        check_serves(found[name].spec, slide)
    return found


def checkers_of(wishes: Mapping[str, Wishes], ihc: Slide) -> tuple[dict[str, ModelEntry], str]:
    """Find the models that look beside the cells; a sentence says why where there are none.

    One that is named must serve; the package's own look where they can.
    """
    if (engine := first(wishes, "engine")) not in (None, AUTO):
        return {}, "" if engine == TRANSFORMER else f"The {engine} engine asks no second scorer."
    if find_spec("torch") is None:
        return {}, "No second scorer looked: torch, which its models need, is not installed."
    _check_device(first(wishes, "device"))
    found = {}
    for name in CHECKERS:
        wish = first(wishes, name)
        try:
            entry = choose_model(name, wish)
            check_serves(entry.spec, ihc)
        except (ModelError, SlideError) as error:
            if wish is not None:
                raise
            return {}, f"No second scorer looked: {error}."
        found[name] = entry
    return found, ""


def _check_device(wish: str | None) -> None:
    """Look for an accelerator that is named; torch is not imported where none is."""
    if wish not in (None, "auto", "cpu"):
        from napari_her2.inference import pick_device

        pick_device(str(wish))
