"""How far a run is, from its events: stages in words, rate and time left."""

from __future__ import annotations

from dataclasses import dataclass, replace

from napari_her2.events import Event, Notice, Progress, StageDone

__all__ = ["DoneStage", "RunProgress", "advance", "duration"]

STAGE_WORDS = {
    "opening": "Opening",
    "tissue_he": "Finding tissue on the H&E",
    "tissue_ihc": "Finding tissue on the IHC",
    "tissue he": "Finding tissue on the H&E",
    "tissue ihc": "Finding tissue on the IHC",
    "mapping": "Aligning H&E and IHC",
    "tumour": "Proposing the tumour area",
    "pieces": "Telling patient tissue from control",
    "stain": "Measuring the stain",
    "cells": "Measuring cells",
    "cell_table": "Measuring cells",
    "patches": "Looking at patches",
    "evidence": "Writing maps and tables",
}


@dataclass(frozen=True, slots=True)
class DoneStage:
    """A finished stage."""

    name: str
    seconds: float
    reused: bool

    @property
    def text(self) -> str:
        """One line for the list of stages."""
        how = "kept from before" if self.reused else duration(self.seconds)
        return f"{stage_words(self.name)}  ·  {how}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunProgress:
    """What the panel shows of a run.

    Attributes
    ----------
    stage : str
        Name of the stage that runs; empty before the first one.
    done, total : int
        Units of that stage; ``total`` 0 while unknown.
    rate : float or None
        Units per second.
    seconds_left : float or None
        Of this stage.
    finished : tuple of DoneStage
    notices : tuple of str
        Sentences to read, in order.
    """

    stage: str = ""
    done: int = 0
    total: int = 0
    unit: str = ""
    rate: float | None = None
    seconds_left: float | None = None
    finished: tuple[DoneStage, ...] = ()
    notices: tuple[str, ...] = ()
    stage_started: float = 0.0

    @property
    def fraction(self) -> float | None:
        """0..1 of the stage; None while unknown."""
        return min(self.done / self.total, 1.0) if self.total > 0 else None

    @property
    def headline(self) -> str:
        """The stage in words."""
        return stage_words(self.stage) if self.stage else "Working" if self.finished else "Starting"

    @property
    def detail(self) -> str:
        """Count, rate and time left, as far as they are known."""
        if not self.total:
            return ""
        parts = [f"{self.done} of {self.total} {self.unit}"]
        if self.rate:
            parts.append(f"{self.rate:.3g} {self.unit}/s" if self.rate >= 0.1 else "")
        if self.seconds_left is not None:
            parts.append(f"{duration(self.seconds_left)} left")
        return "  ·  ".join(part for part in parts if part)


def stage_words(name: str) -> str:
    """Return the stage's name as a person says it."""
    return STAGE_WORDS.get(name, name.replace("_", " ").capitalize())


def duration(seconds: float) -> str:
    """Return a short time, e.g. ``0.4 s``, ``12 s``, ``3 min 20 s``."""
    if seconds < 9.95:
        return f"{max(seconds, 0.0):.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def advance(state: RunProgress, event: Event, now: float) -> RunProgress:
    """Return the state after an event.

    Parameters
    ----------
    state : RunProgress
    event : Event
    now : float
        Seconds on a clock that only goes forward.
    """
    if isinstance(event, Notice):
        return replace(state, notices=(*state.notices, event.text))
    if isinstance(event, StageDone):
        stage = DoneStage(event.stage, event.seconds, event.reused)
        return replace(
            state, finished=(*state.finished, stage), stage="", done=0, total=0, rate=None, seconds_left=None
        )
    return _progressed(state, event, now)


def _progressed(state: RunProgress, event: Progress, now: float) -> RunProgress:
    started = now if event.stage != state.stage or event.done < state.done else state.stage_started
    elapsed = now - started
    rate = event.done / elapsed if elapsed > 0.5 and event.done else None
    left = (event.total - event.done) / rate if rate and event.total else None
    return replace(
        state,
        stage=event.stage,
        done=event.done,
        total=event.total,
        unit=event.unit,
        rate=rate,
        seconds_left=left,
        stage_started=started,
    )
