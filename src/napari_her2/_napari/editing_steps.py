"""Small steps of the editor that need no state."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections import deque

    from napari_her2.annotation import AreaStroke, EditableMask, Step, Stroke, View

__all__ = ["inside", "nothing", "pyramid_behind", "replayed", "saved_all", "words_of"]


def saved_all(mask: EditableMask, unsaved: deque[Stroke | AreaStroke]) -> list[Step]:
    """Save strokes in their order; one that the disk does not take stays first in line."""
    steps = []
    while unsaved:
        step = mask.paint(unsaved[0])
        unsaved.popleft()
        steps += [step] * (step is not None)
    return [step for step in steps if step is not None]


def replayed(mask: EditableMask, act: str, unsaved: deque[Stroke | AreaStroke]) -> Step | None:
    """Undo or redo, after all strokes are saved."""
    saved_all(mask, unsaved)
    step: Step | None = getattr(mask, act)()
    return step


def nothing(_: object) -> None:
    """Take a result that nobody needs."""


def pyramid_behind(layer: Any) -> Any:
    return getattr(layer.data[0], "pyramid", None) if getattr(layer, "multiscale", False) else None


def inside(view: View, shape: tuple[int, int], um: float) -> View:
    """Return what of a view lies on the slide."""
    return replace(
        view,
        top=max(view.top, 0.0),
        left=max(view.left, 0.0),
        bottom=min(view.bottom, shape[0] * um),
        right=min(view.right, shape[1] * um),
    )


def words_of(step: Step) -> str:
    """Say in a few words what a step did."""
    what = {"paint": "Saved", "undo": "Undone", "redo": "Redone"}[step.act]
    after = step.about.get("after", {})
    names = ", ".join(dict.fromkeys(str(name).rpartition(" (")[0] for name in after))
    return f"{what}: {step.about.get('tool', '')} {names}".strip()
