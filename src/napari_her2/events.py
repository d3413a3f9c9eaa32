"""What long work tells its caller: small frozen events, yielded by generators.

A long function is a generator of events that *returns* its result, so that stages compose::

    tissue = yield from find_tissue(slide)

The caller owns the loop: a command draws bars, a window moves them, a test drains them with
:func:`drain`. To stop iterating (and close the generator) is to cancel.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeVar

__all__ = ["Event", "Notice", "Progress", "StageDone", "Steps", "drain"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Progress:
    """``done`` of ``total`` units of a stage are finished."""

    stage: str
    done: int
    total: int
    unit: str = "tiles"


@dataclass(frozen=True, slots=True)
class StageDone:
    """A stage ended after ``seconds``; ``reused`` if its stored result was taken."""

    stage: str
    seconds: float
    reused: bool = False


@dataclass(frozen=True, slots=True)
class Notice:
    """One sentence that a person should read."""

    text: str


Event = Progress | StageDone | Notice
Steps = Generator[Event, None, T]


def drain(steps: Steps[T]) -> T:
    """Run a generator of events to its end and return its result."""
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            result: T = stop.value
            return result
