"""The rows of the analysis: start, stop, go on; results go into a layer as they come. No Qt."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from psygnal import SignalGroupDescriptor

from napari_her2._napari import layers as data
from napari_her2._napari.analysis import PARTS, Begun, CellsFound, LoadedOnce, Painted, PartRequest, run_part
from napari_her2._napari.blind import HIDDEN
from napari_her2._napari.overlays import class_table
from napari_her2._napari.progress import RunProgress, advance
from napari_her2._napari.viewing import visible_box, visible_um
from napari_her2.errors import Her2Error
from napari_her2.events import Progress
from napari_her2.geometry import Affine, Box

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2._napari.analysis import Letter, Part
    from napari_her2._napari.controller import Jobs, ScoreController
    from napari_her2._napari.session import OpenSlide

__all__ = ["PartControl", "PartState", "Scope"]

Scope = Literal["view", "slide", "shape"]


@dataclass
class PartState:
    """What a row shows; every change of a field emits ``events.<field>``."""

    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor()

    busy: bool = False
    progress: RunProgress = field(default_factory=RunProgress)
    words: str = ""


class PartControl:
    """One model, or the cell engine, on the slides that are open.

    Parameters
    ----------
    letter : {"C", "L", "M", "cells"}
    controller : ScoreController
    jobs : Jobs
        Its own, so that rows run beside each other and beside scoring.
    device : str
    """

    def __init__(self, letter: Letter, controller: ScoreController, jobs: Jobs, device: str = "auto") -> None:
        self.part: Part = PARTS[letter]
        self.state = PartState()
        self.controller, self.session, self.canvas = controller, controller.session, controller.canvas
        self._jobs, self._device = jobs, device
        self._job: Any = None
        self._turn = 0
        self._begun: Begun | None = None
        self._kept: tuple[Any, NDArray[Any], NDArray[np.bool_]] | None = None
        self._of: Any = None
        self._loaded = LoadedOnce()

    @property
    def key(self) -> str:
        """Key of the row's layer on the canvas."""
        return f"part_{self.part.letter}"

    @property
    def slide(self) -> OpenSlide | None:
        """The slide that the row looks at."""
        return self.session.he if self.part.role == "he" else self.session.ihc

    def why_not(self, scope: Scope) -> str:
        """Return why it cannot start; empty where it can."""
        slide = self.slide
        if self.session.blind:
            return HIDDEN
        if slide is None:
            return f"Open an {data.ROLE_NAMES[self.part.role]} slide first."
        if slide.um_per_px is None:
            return f"{slide.name} states no pixel size: type it in step 1."
        if scope != "slide" and self.region(scope) is None:
            return "Select a shape first." if scope == "shape" else f"{slide.name} is not in view."
        return ""

    def start(self, scope: Scope = "view", model: str = "") -> None:
        """Run; what was done before on this slide by this model is kept and not run again."""
        why, slide = self.why_not(scope), self.slide
        if why or slide is None or self.state.busy:
            self.state.words = why or self.state.words
            return
        self._forget_other(slide, model)
        request = PartRequest(
            part=self.part,
            slide=slide.pyramid.source.slide,  # type: ignore[attr-defined]
            region=self.region(scope),
            view=self.region("view"),
            model=model,
            device=self._device,
            done=self._done,
            loaded=self._loaded,
        )
        self.state.words, self.state.progress, self.state.busy = "", RunProgress(), True
        self._turn += 1
        heard = partial(self._heard, self._turn)
        self._job = self._jobs.start(
            lambda: run_part(request),
            event=partial(heard, self._event),
            result=partial(heard, self._finished),
            error=partial(heard, self._say),
            end=partial(heard, self._end),
        )

    def cancel(self) -> None:
        """Stop after the batch that is at work; the layer keeps what is done."""
        if self._job is not None:
            self._job.quit()
            self._job, self._turn = None, self._turn + 1
            self.state.busy, self.state.words = False, "Stopped; run again to go on."

    def camera_rested(self) -> None:
        """Let what is in view now come first."""
        view = self.region("view")
        if self.state.busy and self._begun is not None and view is not None:
            from napari_her2.inference import camera_first

            self._begun.agenda.reorder(camera_first(self._begun.grid, view))

    def close(self) -> None:
        """Stop, and take the layer away."""
        self.cancel()
        self.canvas.remove(self.key)
        self._kept = None

    def region(self, scope: Scope) -> Box | None:
        """Return the level-0 box of the slide that a scope means; None for the whole slide or nothing."""
        slide = self.slide
        if scope == "slide" or slide is None or slide.um_per_px is None:
            return None
        corners = visible_um(self.canvas.viewer) if scope == "view" else self._shape()
        if corners is None:
            return None
        return visible_box(corners, self._place(corners), slide.um_per_px, slide.shape)

    def _shape(self) -> NDArray[np.float64] | None:
        """Return the corners (world µm) of the selected shape, else of the last one drawn."""
        active = self.canvas.viewer.layers.selection.active
        layer = active if hasattr(active, "shape_type") else self.canvas.drawing()
        if layer is None or not len(layer.data):
            return None
        at = max(layer.selected_data, default=len(layer.data) - 1)
        return np.array([layer.data_to_world(point) for point in layer.data[at]])

    def _place(self, corners: NDArray[np.float64]) -> Affine:
        """Return the slide's µm → world: as its layer lies, or, for a hidden H&E, as the mapping says."""
        layer = self.canvas.layer(self.part.role)
        if layer is not None and layer.visible:
            return Affine.from_matrix(np.asarray(layer.affine)[-3:, -3:])
        if self.part.role == "he" and self.session.mapping is not None:
            from napari_her2._napari.linking import local_affine

            row, col = corners.mean(axis=0)
            return local_affine(self.session.mapping, (float(row), float(col)))
        return Affine.identity()

    def _forget_other(self, slide: OpenSlide, model: str) -> None:
        of = (slide.pyramid, slide.um_per_px, model)
        if of != self._of:
            self._of, self._kept, self._loaded = of, None, LoadedOnce()
            self.canvas.remove(self.key)

    def _done(self, shape: tuple[int, int]) -> NDArray[np.bool_] | None:
        return self._kept[2].copy() if self._kept is not None and self._kept[2].shape == shape else None

    def _heard(self, turn: int, tell: Any, *what: Any) -> None:
        if turn == self._turn:
            tell(*what)

    def _event(self, event: Any) -> None:
        if isinstance(event, Progress):
            self.state.progress = advance(self.state.progress, event, time.monotonic())
        elif isinstance(event, Begun):
            self._begin(event)
        elif isinstance(event, Painted):
            self._paint(event)
        elif isinstance(event, CellsFound):
            self._add_cells(event)

    def _begin(self, begun: Begun) -> None:
        self._begun = begun
        if self._kept is None or self.canvas.layer(self.key) is None:
            picture = np.zeros(begun.shape, np.uint8)
            self._kept = begun, picture, np.zeros(begun.grid.shape, bool)
            on_he = self.part.role == "he"
            self.canvas.add_part(self.key, picture_layer(self.part, picture, begun.um_per_px), on_he=on_he)

    def _paint(self, painted: Painted) -> None:
        layer = self.canvas.layer(self.key)
        if self._kept is None or layer is None:
            return
        _, picture, done = self._kept
        for (row, col), pixels in zip(painted.corners, painted.pixels, strict=True):
            part = picture[row : row + pixels.shape[0], col : col + pixels.shape[1]]
            part[...] = pixels[: part.shape[0], : part.shape[1]]
        done[painted.cells[:, 0], painted.cells[:, 1]] = True
        layer.refresh(extent=False, highlight=False, thumbnail=False)

    def _add_cells(self, found: CellsFound) -> None:
        from napari_her2._napari.case_view import cells_view

        um = self.slide.um_per_px if self.slide is not None else None
        view = cells_view(found.table, um or 1.0, limit=10**9)
        layer = self.canvas.layer(self.key)
        if layer is None:
            entry = data.cells_layer(view, name="cells, in view")
            self.canvas.add_part(self.key, entry, on_he=False)
        elif len(view.points_um):
            colours = data.class_colours(view.class_code)
            before = np.asarray(layer.face_color)
            layer.data = np.vstack([layer.data, view.points_um])
            layer.face_color = layer.border_color = np.vstack([before, colours])
        self.state.words = self._counted(view.total)

    _cells = 0

    def _counted(self, more: int) -> str:
        self._cells += more
        return f"{self._cells:,} tumour cells so far"

    def _finished(self, _: Any) -> None:
        self.state.words = "Done." if self.part.setting else f"Done: {self._cells:,} tumour cells."
        self._cells = 0

    def _end(self) -> None:
        self.state.busy, self._job = False, None

    def _say(self, error: BaseException) -> None:
        self.state.words = str(error)[:500] if isinstance(error, Her2Error) else f"Failed: {error}"[:500]


def picture_layer(part: Part, picture: NDArray[Any], um_per_px: float) -> data.LayerData:
    """Return the layer of a model that runs: a heat map, or classes in their colours."""
    meta: dict[str, Any] = {
        "name": f"{part.words} ({part.letter})",
        "opacity": 0.6,
        "blending": "translucent_no_depth",
        "contrast_limits": (0, 255),
        "interpolation2d": "linear" if part.letter == "C" else "nearest",
        "colormap": data.heat_colours() if part.letter == "C" else class_table(),
        **data.placement(um_per_px),
    }
    return picture, meta, "image"
