"""What happens when a person edits a mask; no Qt, so that tests need none.

The window's thread paints into a small array; what changed goes to the lane ``write``, which alone touches
the mask on disk, in the order it was painted. Windows are read there as well, so that each shows all
strokes before it. A window that was painted on while the next one was read is read again.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from napari_her2._napari.editing_layers import MaskPyramid, MaskSource
from napari_her2._napari.editing_pixels import WindowPixels, named
from napari_her2._napari.editing_steps import inside, nothing, pyramid_behind, replayed, saved_all, words_of
from napari_her2._napari.session import Message
from napari_her2.annotation import (
    KINDS,
    AreaStroke,
    EditableMask,
    MaskFacts,
    ModelLabels,
    Stroke,
    place_window,
    to_codes,
)
from napari_her2.errors import Her2Error

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_her2._napari.editing_canvas import EditCanvas
    from napari_her2._napari.editing_lanes import Lanes
    from napari_her2._napari.editing_state import EditState, Target
    from napari_her2._napari.tiles import TileLoader
    from napari_her2.annotation import EditWindow, Step, StepLog
    from napari_her2.store import Multiscale

__all__ = ["MaskEditor"]

PROBABLE = {"tumour": 1}
"""Kinds whose raster holds a probability, and the label that it becomes."""


class MaskEditor:
    """Opens a mask, lets a person paint, saves every stroke.

    Parameters
    ----------
    state : EditState
    canvas : EditCanvas
    lanes : Lanes
    loader : TileLoader
        Reads the mask at low power.
    live : bool
        Whether a window shows it.
    """

    def __init__(
        self, state: EditState, canvas: EditCanvas, lanes: Lanes, loader: TileLoader, *, live: bool = True
    ) -> None:
        self.state, self.canvas, self.lanes = state, canvas, lanes
        self._loader, self._live = loader, live
        self.mask: EditableMask | None = None
        self.model = ModelLabels(None, 1.0)
        self.pixels: WindowPixels | None = None
        self.pyramid: MaskPyramid | None = None
        self._strokes = 0
        self._turn = 0
        self._wanted: EditWindow | None = None
        self._unsaved: deque[Stroke | AreaStroke] = deque()
        self._who = ""
        self._closing = False
        canvas.painted = self.painted

    # ------------------------------------------------------------------ opening and closing

    def open(
        self, target: Target, kind: str, log: StepLog, raster: Callable[[str], Multiscale | None]
    ) -> None:
        """Open a mask of a slide, in place of the one before.

        Parameters
        ----------
        target : Target
        kind : str
            ``her2``, ``tumour`` or ``exclusions``.
        log : StepLog
        raster : callable
            Gives the raster of a case by name, None where there is none.
        """
        self.close_mask()
        self._turn += 1
        self._who = str(getattr(log, "who", "")) or "unnamed reader"
        chosen = KINDS[kind]
        facts = MaskFacts(
            kind=chosen,
            slide=target.role,
            shape=target.shape,
            um_per_px=target.um_per_px,
            sha256=target.sha256,
        )

        def work() -> tuple[EditableMask, ModelLabels]:
            mask = EditableMask(target.folder / "edits" / facts.name, facts, log)
            found = raster(chosen.raster) if chosen.raster else None
            return mask, ModelLabels(found, target.um_per_px, PROBABLE.get(kind, 0))

        self.lanes.submit("write", work, partial(self._opened, self._turn, target), self._failed)

    def _opened(self, turn: int, target: Target, found: tuple[EditableMask, ModelLabels]) -> None:
        mask, model = found
        if turn != self._turn or self._closing:
            self.lanes.submit("write", mask.close, nothing, self._failed)
            return
        self.mask, self.model = mask, model
        self.pyramid = MaskPyramid(MaskSource(mask, model), self._loader, live=self._live)
        slide = self._slide_layer(target)
        if slide is None:
            self.close_mask()
            self._say(f"{target.name} is not in the viewer any more: open it again.")
            return
        kind = mask.facts.kind
        self.canvas.show_mask(slide, self.pyramid, kind, target.um_per_px)
        state = self.state
        state.target, state.kind = target, kind
        state.settings = replace(state.settings, value=kind.classes[1].value)
        self._after_step(None)
        if mask.notes:
            self._say(" ".join(mask.notes), "warning")
            mask.notes.clear()
        self.look()

    def _slide_layer(self, target: Target) -> Any:
        layers = self.canvas.viewer.layers
        return next((one for one in layers if pyramid_behind(one) is target.pyramid), None)

    def close_mask(self) -> None:
        """Save what is on its way, and take the layers away."""
        self.painted()
        self._turn += 1
        if self.mask is not None:
            self.save()
            self.lanes.submit("write", self.mask.close, nothing, self._failed)
        self.mask, self.pixels, self._wanted = None, None, None
        self._unsaved = deque()
        self.state.kind = self.state.target = self.state.window = None
        self.canvas.clear()
        self.state.can_undo = self.state.can_redo = self.state.covered = False
        self.state.under = self.state.last = ""

    def close(self) -> None:
        """End; returns when every stroke is on the disk."""
        self.close_mask()
        self._closing = True
        self.lanes.close()

    def halt(self) -> None:
        """End after the viewer is gone: nothing of it can be touched, but every stroke is saved."""
        if self._closing:
            return
        self._turn += 1
        self._closing = True
        if self.mask is not None:
            self.save()
            self.lanes.submit("write", self.mask.close, nothing, nothing)
            self.mask = None
        self.lanes.close()

    # ------------------------------------------------------------------ the window follows the view

    def look(self) -> None:
        """See whether the edit window still serves the view, and fetch another if not."""
        view = self.canvas.view()
        if self.mask is None or view is None or self.state.target is None:
            return
        before = self.pixels.window if self.pixels is not None else None
        window = place_window(view, self.mask.pyramid.shapes, self.mask.facts.um_per_px, before)
        self._show_cover()
        if window is None or window in (before, self._wanted) or self.canvas.drawing:
            return
        self._wanted = window
        self._read(window)

    def _show_cover(self) -> None:
        """Show the window if it covers what is seen of the slide, else the whole mask."""
        covered = False
        view = self.canvas.view()
        if self.pixels is not None and self.mask is not None and view is not None:
            window = self.pixels.window
            seen = place_window(view, self.mask.pyramid.shapes, self.mask.facts.um_per_px, window)
            whole = self.mask.pyramid.shapes[window.level]
            covered = seen == window and window.covers(inside(view, whole, window.scale_um))
        self.canvas.cover(covered)
        self.state.covered = covered

    def _read(self, window: EditWindow) -> None:
        mask, model = self.mask, self.model
        if mask is None:
            return

        def work() -> WindowPixels:
            codes = mask.read(window.box, window.level)
            return WindowPixels.of(window, codes, model.read(window.box, window.level))

        self.lanes.submit("write", work, partial(self._arrived, self._turn, self._strokes), self._failed)

    def _arrived(self, turn: int, strokes: int, pixels: WindowPixels) -> None:
        if turn != self._turn or pixels.window != (self._wanted or pixels.window):
            return
        if self.canvas.drawing:
            self._wanted = None  # asked for again when the stroke is done
            return
        self.painted()
        if strokes != self._strokes:
            self._read(pixels.window)
            return
        self._wanted = None
        for stroke in self._unsaved:
            if isinstance(stroke, Stroke):
                pixels.overlay(stroke)
        self.pixels = pixels
        self.canvas.show_window(pixels, self._kind)
        self.canvas.apply(self.state.settings)
        self.state.window = pixels.window
        self._show_cover()

    # ------------------------------------------------------------------ strokes

    def painted(self) -> None:
        """Take what was painted since the last time, and send it to the disk."""
        pixels, mask, layer = self.pixels, self.mask, self.canvas.layer
        if pixels is None or mask is None or layer is None:
            return
        settings, kind = self.state.settings, mask.facts.kind
        stroke = pixels.take(layer.data, tool=settings.tool)
        if stroke is None:
            return
        if settings.tool == "model":
            self.canvas.redraw()
        about = {**stroke.about, "who": self._who}
        about |= {key: named(stroke.about[key], kind) for key in ("before", "after")}
        self._strokes += 1
        self._unsaved.append(replace(stroke, about=about))
        self.save()
        if self._wanted is None:  # a window that came during the stroke was turned away
            self.look()

    def fill_area(self, shape: Any, mm2: float) -> None:
        """Give a drawn area, of any size, the chosen class in the mask."""
        mask = self.mask
        if mask is None:
            return
        self.painted()
        chosen = mask.facts.kind.by_value[self.state.settings.value]
        about = {
            "who": self._who,
            "tool": "area",
            "mm2": round(mm2, 6),
            "after": {f"{chosen.name} (person)": None},
        }
        self._strokes += 1
        self._unsaved.append(AreaStroke(shape=shape, code=int(to_codes(chosen.value)), about=about))
        self.save()
        self._read_again()

    def save(self) -> None:
        """Send what is not saved yet to the disk: the next stroke, or once more what it did not take."""
        if self.mask is not None and self._unsaved:
            self.state.saving = len(self._unsaved)
            self.lanes.submit(
                "write", partial(saved_all, self.mask, self._unsaved), self._saved, self._failed
            )

    def _saved(self, steps: list[Step]) -> None:
        self.state.saving = len(self._unsaved)
        for step in steps:
            self._after_step(step)

    def undo(self) -> None:
        """Take back the last stroke, wherever it was."""
        self._replay("undo")

    def redo(self) -> None:
        """Do the last stroke that was taken back again."""
        self._replay("redo")

    def _replay(self, act: str) -> None:
        mask = self.mask
        if mask is None:
            return
        self.painted()
        self.save()
        self._strokes += 1
        self.lanes.submit("write", partial(replayed, mask, act, self._unsaved), self._replayed, self._failed)

    def _replayed(self, step: Step | None) -> None:
        self._after_step(step)
        window = self.pixels.window if self.pixels is not None else None
        if step is None or window is None:
            return
        scaled = [box.divided(2**window.level) for box in step.boxes]
        if any(window.box.padded(1).intersect(box) for box in scaled):
            self._read_again()
        else:
            self.state.last = f"{self.state.last}, outside of the view"

    def _read_again(self) -> None:
        if self.pixels is not None:
            self._wanted = self.pixels.window
            self._read(self.pixels.window)

    def _after_step(self, step: Step | None) -> None:
        mask, state = self.mask, self.state
        if mask is None:
            return
        state.can_undo, state.can_redo = mask.can_undo, mask.can_redo
        if step is not None:
            state.last = words_of(step)
            if self.pyramid is not None:
                self.pyramid.changed(step.boxes)
        if mask.notes:
            self._say(" ".join(mask.notes), "warning")
            mask.notes.clear()

    # ------------------------------------------------------------------ small things

    def change(self, **settings: Any) -> None:
        """Change tool, class or sizes."""
        self.state.settings = replace(self.state.settings, **settings)
        self.canvas.apply(self.state.settings)

    def choose_class(self, number: int) -> None:
        """Choose the n-th class, from 0; the brush is taken up where nothing that paints is in hand."""
        if self.state.kind is not None and number < len(self.state.kind.classes):
            tool = self.state.settings.tool
            paints = tool not in ("move", "erase", "model")
            self.change(value=self.state.kind.classes[number].value, tool=tool if paints else "brush")

    def size_brush(self, steps: float) -> None:
        """Make the brush larger or smaller by steps of the wheel."""
        size = self.state.settings.brush_um * 1.15**steps
        self.change(brush_um=round(min(max(size, 0.5), 500.0), 2))

    def hover(self, position: Any) -> None:
        """Say what is under the mouse, and who says so."""
        self.state.under = self._words_under(position)

    def _words_under(self, position: Any) -> str:
        if self.pixels is None or self.canvas.layer is None or self.state.kind is None:
            return ""
        found = self.pixels.whose(*self.canvas.pixel(position))
        if found is None or not (found[0] or found[1]):
            return ""
        known = self.state.kind.by_value.get(found[0])
        author = {"model": "by the model", "person": "by a person"}.get(found[1], "")
        return f"{known.name if known else found[0]} · {author}"

    @property
    def _kind(self) -> Any:
        return self.state.kind

    def _failed(self, error: BaseException) -> None:
        known = isinstance(error, Her2Error)
        self._say(
            f"{error}." if known else f"Something went wrong inside ({type(error).__name__}: {error}).",
            "error",
        )

    def _say(self, text: str, kind: Any = "info") -> None:
        self.state.message = Message(text[:500], kind)
