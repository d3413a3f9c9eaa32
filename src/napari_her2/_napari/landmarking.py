"""Pairs of places that a person sets on the two slides; each change bends the alignment anew. No Qt.

The bending runs in the background; while it runs, further changes wait for the next round, so that a drag is
followed as fast as the machine can, and never lags behind by more than one round.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from psygnal import SignalGroupDescriptor

from napari_her2._napari.editing_case import corrections_folder
from napari_her2._napari.refitting import Ground, Refit, bend_and_keep
from napari_her2._napari.session import Message
from napari_her2.errors import Her2Error
from napari_her2.mapping import Landmarks, read_landmarks, write_landmarks

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_her2._napari.controller import Jobs, ScoreController
    from napari_her2._napari.session import SlideRole

__all__ = ["Begun", "LandmarkControl", "LandmarkState"]

NONE = Landmarks.of()


@dataclass(frozen=True, slots=True, eq=False)
class Begun:
    """The first place of a new pair, and where the alignment puts its partner (level-0 px of each slide)."""

    side: SlideRole
    place_px: NDArray[np.float64]
    partner_px: NDArray[np.float64]

    def on(self, side: SlideRole) -> NDArray[np.float64]:
        """Return the place on a slide."""
        return self.place_px if side == self.side else self.partner_px


@dataclass
class LandmarkState:
    """What the list and the canvases show; every change of a field emits ``events.<field>``."""

    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor()

    pairs: Landmarks = field(default_factory=Landmarks.of)
    chosen: int | None = None
    begun: Begun | None = None
    busy: bool = False


class LandmarkControl:
    """Adds, moves and takes away pairs; the session's alignment follows.

    Parameters
    ----------
    controller : ScoreController
        Whose session and canvas follow.
    jobs : Jobs
        Of its own: a run must not hold it up.
    """

    def __init__(self, controller: ScoreController, jobs: Jobs) -> None:
        self.controller, self.session = controller, controller.session
        self.state = LandmarkState()
        self._jobs, self._running = jobs, False
        self._undone: list[Landmarks] = []
        self._done: list[Landmarks] = []
        self._held: Landmarks | None = None
        self._again = self._keep = False
        self._open = True
        for name in ("he", "ihc", "result", "prepared"):
            getattr(self.session.events, name).connect(self._new_case)
        self._new_case()

    @property
    def ready(self) -> bool:
        """Whether there is an alignment that can be corrected, and nothing runs that would replace it."""
        return self.session.mapping is not None and not self.session.busy

    def point(self, side: SlideRole, place_px: Any) -> None:
        """Take a place for a new pair: the first time on either slide, then its place on the other."""
        mapping, at = self.session.mapping, np.asarray(place_px, np.float64).reshape(2)
        if mapping is None or not self.ready:
            return
        begun = self.state.begun
        if begun is None or begun.side == side:
            self.state.chosen = None
            self.state.begun = Begun(side, at, mapping.carry(at[None], side)[0])
            return
        he, ihc = (begun.place_px, at) if side == "ihc" else (at, begun.place_px)
        self._add(he, ihc)

    def accept(self) -> None:
        """Take the place that the alignment proposes: it is right there."""
        begun = self.state.begun
        if begun is not None:
            self._add(begun.on("he"), begun.on("ihc"))

    def drop_begun(self) -> None:
        """Give up the pair that was begun."""
        self.state.begun = None

    def near(self, side: SlideRole, place_px: Any, reach_px: float) -> int | None:
        """Return the pair that lies closest to a place, within reach."""
        there = self.on(side)
        if not len(there):
            return None
        away = np.linalg.norm(there - np.asarray(place_px, np.float64), axis=1)
        best = int(np.argmin(away))
        return best if away[best] <= reach_px else None

    def on(self, side: SlideRole) -> NDArray[np.float64]:
        """Return the places of all pairs on a slide, level-0 px."""
        return self.state.pairs.he_px if side == "he" else self.state.pairs.ihc_px

    def move(self, which: int, side: SlideRole, place_px: Any) -> None:
        """Move one end of a pair, as often as a drag asks; :meth:`release` ends the drag."""
        if self.ready:
            self._held = self._held or self.state.pairs
            self.state.chosen = which
            moved = {"he_px": place_px} if side == "he" else {"ihc_px": place_px}
            self.state.pairs = self.state.pairs.moved(which, **moved)
            self._refit(keep=False)

    def release(self) -> None:
        """End a drag: it is one step to undo, and it is written down."""
        if self._held is not None:
            before, self._held = self._held, None
            self._done.append(before)
            self._undone.clear()
            self._refit()

    def choose(self, which: int | None) -> None:
        """Show one pair among the others."""
        self.state.chosen = which if which is not None and 0 <= which < len(self.state.pairs) else None

    def delete(self, which: int | None = None) -> None:
        """Take a pair away: that one, else the chosen one, else the last."""
        if not len(self.state.pairs):
            return
        chosen = which if which is not None else self.state.chosen
        self._set(self.state.pairs.without(len(self.state.pairs) - 1 if chosen is None else chosen))

    def undo(self) -> None:
        """Take the last change back."""
        if self.state.begun is not None:
            self.state.begun = None
        elif self._done and self.ready:
            self._undone.append(self.state.pairs)
            self._put(self._done.pop())

    def redo(self) -> None:
        """Do again what was taken back."""
        if self._undone and self.ready:
            self._done.append(self.state.pairs)
            self._put(self._undone.pop())

    @property
    def can_undo(self) -> bool:
        """Whether there is anything to take back."""
        return bool(self._done) or self.state.begun is not None

    @property
    def can_redo(self) -> bool:
        """Whether there is anything to do again."""
        return bool(self._undone)

    def read(self, path: Path) -> None:
        """Take the pairs of a CSV in place of those that are set."""
        mapping = self.session.mapping
        if mapping is None or not self.ready:
            self.session.message = Message("Align the slides first: pairs correct an alignment.", "warning")
            return
        try:
            found = read_landmarks(path, he_shape=mapping.he.shape, ihc_shape=mapping.ihc.shape)
        except Her2Error as error:
            self.session.message = Message(str(error), "error")
            return
        self._set(found)

    def write(self, path: Path) -> None:
        """Write the pairs as the CSV that ``align --landmarks`` reads."""
        try:
            write_landmarks(self.state.pairs, path)
        except Her2Error as error:
            self.session.message = Message(str(error), "error")

    def close(self) -> None:
        """Stop listening."""
        self._open = False
        self.state.events.disconnect()

    def _add(self, he_px: NDArray[np.float64], ihc_px: NDArray[np.float64]) -> None:
        self._set(self.state.pairs.added(he_px, ihc_px))
        self.choose(len(self.state.pairs) - 1)

    def _set(self, pairs: Landmarks) -> None:
        if self.ready:
            self._done.append(self.state.pairs)
            self._undone.clear()
            self._put(pairs)

    def _put(self, pairs: Landmarks) -> None:
        self.state.begun = self.state.chosen = None
        self.state.pairs = pairs
        self._refit()

    def _new_case(self, *_: Any) -> None:
        """Take over the pairs of another case, or of the same one after it was scored anew."""
        refit = self.session.refit
        pairs = NONE if refit is None else refit.landmarks
        if pairs is not self.state.pairs:
            self._done, self._undone, self._held = [], [], None
            self.state.begun = self.state.chosen = None
            self.state.pairs = pairs

    def _ground(self) -> Ground | None:
        """Return what the open results rest on."""
        session = self.session
        if session.refit is not None:
            return session.refit.ground
        if session.mapping is None:
            return None
        made = session.mapping
        role: SlideRole = "he" if session.result is None or session.result.tumour_role == "he" else "ihc"
        return Ground(mapping=made, used=NONE, base=made, outlines=dict(session.outlines), source=role)

    def _refit(self, *, keep: bool = True) -> None:
        """Bend the alignment in the background; what comes meanwhile is done in one further round."""
        self._keep |= keep
        if self._running:
            self._again = True
            return
        ground, pairs = self._ground(), self.state.pairs
        if ground is None:
            return
        folder = corrections_folder(self.session) if self._keep else None
        self._again = self._keep = False
        self._running = self.state.busy = True
        self._jobs.start(
            lambda: bend_and_keep(ground, pairs, folder),
            event=_nothing,
            result=self._bent,
            error=self._failed,
            end=self._ended,
        )

    def _bent(self, refit: Refit) -> None:
        """Take what was bent, if the session still stands on the same results."""
        now, known = self.session.mapping, self.session.refit
        still = now is refit.ground.mapping if known is None else known.ground is refit.ground
        if self._open and still:
            self.controller.remap(refit)

    def _failed(self, error: BaseException) -> None:
        self.session.message = Message(str(error)[:500], "error")

    def _ended(self) -> None:
        self._running = self.state.busy = False
        if self._again and self._open:
            self._refit(keep=False)


def _nothing(_: Any) -> None:
    """Do nothing."""
