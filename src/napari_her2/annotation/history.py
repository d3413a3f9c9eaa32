"""Which step comes next to undo or to redo, as the journal has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from napari_her2.annotation.journal import Record

__all__ = ["History"]


class History:
    """The stacks of what can be undone and redone; as long as the journal.

    Parameters
    ----------
    records : iterable of Record
        All that stands in the journal.

    Attributes
    ----------
    whole : bool
        Whether no record was lost.
    done : int
        Number of the last step.
    """

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self._steps: dict[int, Record] = {}
        self._undo: list[int] = []
        self._redo: list[int] = []
        self.whole = True
        self.done = 0
        for record in records:
            self.add(record)

    @property
    def to_undo(self) -> Record | None:
        """The stroke that is taken back next."""
        return self._steps[self._undo[-1]] if self._undo else None

    @property
    def to_redo(self) -> Record | None:
        """The stroke that is done again next."""
        return self._steps[self._redo[-1]] if self._redo else None

    def add(self, record: Record) -> None:
        """Take note of a record."""
        act = record.head["act"]
        if act == "gap":
            # Strokes before a gap cannot be undone: what was lost may have painted over them.
            self._undo, self._redo, self.whole = [], [], False
            return
        step = int(record.head["step"])
        self._steps[step], self.done = record, max(self.done, step)
        if act == "paint":
            self._undo.append(step)
            self._redo = []
        else:
            source, target = (self._undo, self._redo) if act == "undo" else (self._redo, self._undo)
            if source and source[-1] == record.head["of"]:
                target.append(source.pop())

    def stroke(self, head: Mapping[str, Any]) -> Record | None:
        """Return the stroke that a step did, undid or redid; None if it was lost."""
        return self._steps.get(int(head.get("of", head["step"])))

    def after(self, step: int) -> Iterator[Record]:
        """Return the steps after this one, in their order."""
        for number in range(step + 1, self.done + 1):
            if number in self._steps:
                yield self._steps[number]
