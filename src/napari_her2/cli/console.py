"""What a command says: one answer on stdout, errors and bars on stderr."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from napari_her2.events import Notice, Progress, StageDone

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_her2.events import Steps

__all__ = ["Answer", "follow", "print_answer", "print_error"]

T = TypeVar("T")
LONGEST_ERROR: Final = 500


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command found.

    Attributes
    ----------
    data : mapping
        The one JSON object of ``--json``.
    text : str
        The same for a person.
    code : int
        Exit code.
    """

    data: Mapping[str, Any]
    text: str
    code: int = 0


def print_answer(answer: Answer, *, as_json: bool) -> None:
    """Write the answer to stdout, as one JSON object or as text; both are UTF-8 where possible."""
    text = json.dumps(answer.data, indent=2, ensure_ascii=True, allow_nan=False) if as_json else answer.text
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "replace").decode(encoding), flush=True)


def print_error(code: int, message: str, *, as_json: bool) -> None:
    """Write one sentence to stderr and, with ``--json``, the error object to stdout."""
    sentence = " ".join(message.split())
    if len(sentence) > LONGEST_ERROR:
        sentence = sentence[: LONGEST_ERROR - 1] + "…"
    if as_json:
        print(json.dumps({"error": {"code": code, "message": sentence}}), flush=True)
    encoding = sys.stderr.encoding or "utf-8"
    print(sentence.encode(encoding, "replace").decode(encoding), file=sys.stderr, flush=True)


def follow(steps: Steps[T], *, quiet: bool = False) -> T:
    """Run long work to its end with a bar (rate and time left) per stage on stderr.

    Parameters
    ----------
    steps : generator of events
        The work.
    quiet : bool
        No bars; notices are still shown. Bars are also left out where stderr is no terminal
        and `quiet` is set by ``--json``.
    """
    bars = _Bars(shown=not quiet or sys.stderr.isatty())
    try:
        while True:
            try:
                event = next(steps)
            except StopIteration as stop:
                return stop.value
            bars.show(event)
    finally:
        bars.close()
        steps.close()


class _Bars:
    """One bar at a time."""

    def __init__(self, *, shown: bool) -> None:
        self._shown, self._stage = shown, ""
        self._bar: Any = None

    def show(self, event: Progress | StageDone | Notice) -> None:
        if isinstance(event, Progress):
            self._advance(event)
        elif isinstance(event, Notice):
            self.close()
            print(event.text, file=sys.stderr, flush=True)
        elif self._shown:
            self.close()
            how = "already done" if event.reused else f"{event.seconds:.1f} s"
            print(f"{event.stage}: {how}", file=sys.stderr, flush=True)

    def _advance(self, event: Progress) -> None:
        if not self._shown:
            return
        if self._bar is None or event.stage != self._stage:
            from tqdm import tqdm

            self.close()
            self._stage = event.stage
            self._bar = tqdm(desc=event.stage, unit=f" {event.unit}", file=sys.stderr, leave=False)
        self._bar.total = event.total
        self._bar.update(event.done - self._bar.n)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
