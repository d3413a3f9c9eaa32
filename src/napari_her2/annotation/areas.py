"""Areas that people drew, as vectors: kept line by line in a file, undone without limit, found by place."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2.annotation.mask import now
from napari_her2.annotation.polygons import mm2, polygon_of, rings_of
from napari_her2.errors import CaseError, OutputError, UsageError
from napari_her2.store import writable_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from shapely.geometry.base import BaseGeometry

    from napari_her2.geometry import Box

__all__ = ["AREA_COLOURS", "REVIEWED", "Area", "AreaBook", "new_area"]

REVIEWED: Final = "Reviewed"
"""Class of the areas in which everything has been looked at: unlabelled means background only there."""

AREA_COLOURS: Final[dict[str, str]] = {
    "Tumor": "#1B7837",
    "In situ": "#C51B7D",
    "Necrosis": "#8C6D1F",
    "Not tumour": "#737373",
    "Artefact": "#E7298A",
    "HER2 0": "#4575B4",
    "HER2 1+": "#91BFDB",
    "HER2 2+": "#FEE090",
    "HER2 3+": "#D73027",
    REVIEWED: "#00B7C3",
}
"""Classes and their colours; names are those that QuPath knows where it has one."""

OTHER: Final = "#5A5A5A"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Area:
    """One annotation.

    Attributes
    ----------
    key : str
        Stays the same as long as it exists.
    shape : shapely Polygon or MultiPolygon
        (row, col) in level-0 pixels.
    name : str
        Its class.
    who, time : str
        Who drew or changed it last, and when.
    """

    key: str
    shape: BaseGeometry
    name: str
    who: str = ""
    time: str = ""

    @property
    def colour(self) -> str:
        """``#RRGGBB`` of the class."""
        return AREA_COLOURS.get(self.name, OTHER)

    @property
    def corners(self) -> int:
        """How many corners it has, holes included."""
        return sum(len(ring) for part in rings_of(self.shape) for ring in part)

    def mm2(self, um_per_px: float) -> float:
        """Its area in mm²."""
        return mm2(self.shape, um_per_px)


def new_area(shape: BaseGeometry, name: str, who: str = "") -> Area:
    """Return an area with a key of its own."""
    return Area(key=secrets.token_hex(6), shape=shape, name=name, who=who, time=now())


class AreaBook:
    """All areas of one slide, in a file of one line for each act; every line is on the disk at once.

    Parameters
    ----------
    path : Path
        Made with the first act.

    Attributes
    ----------
    notes : list of str
        Sentences about damage that was found, most often none.

    Raises
    ------
    CaseError
        If the file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.notes: list[str] = []
        self._areas: dict[str, Area] = {}
        self._undo: list[_Act] = []
        self._redo: list[_Act] = []
        self._tree: tuple[Any, list[Area]] | None = None
        self._load()

    def __len__(self) -> int:
        return len(self._areas)

    def __iter__(self) -> Iterator[Area]:
        return iter(self._areas.values())

    def get(self, key: str) -> Area | None:
        """Return an area by its key."""
        return self._areas.get(key)

    def named(self, name: str) -> list[Area]:
        """Return the areas of a class."""
        return [area for area in self if area.name == name]

    @property
    def can_undo(self) -> bool:
        """Whether there is an act to take back."""
        return bool(self._undo)

    @property
    def can_redo(self) -> bool:
        """Whether there is an act to do again."""
        return bool(self._redo)

    def change(self, put: Iterable[Area] = (), drop: Iterable[str] = ()) -> None:
        """Add or replace areas, and take others away: one act, to be undone at once.

        Raises
        ------
        OutputError
            If the disk does not take it; then nothing has changed.
        """
        dropped = [key for key in dict.fromkeys(drop) if key in self._areas]
        act = self._act({area.key: area for area in put}, dropped)
        if act.put or act.drop:
            self._write(_line("change", act))
            self._take(act)

    def undo(self) -> bool:
        """Take the last act back; False where there is none."""
        return self._step("undo", self._undo, self._redo)

    def redo(self) -> bool:
        """Do the last act again that was taken back; False where there is none."""
        return self._step("redo", self._redo, self._undo)

    def inside(self, box: Box) -> list[Area]:
        """Return the areas that touch a box of level 0, the largest first."""
        from shapely import STRtree
        from shapely import box as rectangle

        if self._tree is None:
            areas = list(self._areas.values())
            self._tree = STRtree([area.shape for area in areas]), areas
        tree, areas = self._tree
        found = tree.query(rectangle(box.row, box.col, box.row_stop, box.col_stop), predicate="intersects")
        return sorted((areas[i] for i in np.sort(found)), key=lambda area: -float(area.shape.area))

    def _step(self, word: str, source: list[_Act], target: list[_Act]) -> bool:
        if not source:
            return False
        self._write(json.dumps({"act": word, "time": now()}))
        self._turn(source, target)
        return True

    def _turn(self, source: list[_Act], target: list[_Act]) -> None:
        """Do the opposite of the last act of one stack and put that on the other."""
        act = source.pop()
        back = {key: area for key, area in act.before.items() if area is not None}
        reverse = self._act(back, [key for key, area in act.before.items() if area is None])
        self._apply(reverse.put, reverse.drop)
        target.append(reverse)

    def _take(self, act: _Act) -> None:
        self._undo.append(act)
        self._redo.clear()
        self._apply(act.put, act.drop)

    def _act(self, put: dict[str, Area], drop: Sequence[str]) -> _Act:
        return _Act(put, tuple(drop), {key: self._areas.get(key) for key in (*put, *drop)})

    def _apply(self, put: dict[str, Area], drop: Sequence[str]) -> None:
        self._areas = {key: area for key, area in self._areas.items() if key not in set(drop)} | put
        self._tree = None

    def _load(self) -> None:
        try:
            content = self._path.read_bytes() if self._path.is_file() else b""
        except OSError as error:
            raise CaseError(f"{self._path.name} cannot be read ({error.strerror or error})") from error
        lines = content.splitlines(keepends=True)
        for number, line in enumerate(lines, start=1):
            try:
                self._replay(json.loads(line))
            except (ValueError, KeyError, TypeError, UsageError):
                torn = number == len(lines) and not line.endswith(b"\n")
                if not torn and line.strip():
                    self.notes.append(
                        f"Line {number} of {self._path.name} is damaged: the areas of that act are left out, "
                        "all others are there."
                    )

    def _replay(self, entry: dict[str, Any]) -> None:
        if entry["act"] == "change":
            put = {one["key"]: _area(one) for one in entry["put"]}
            act = self._act(put, [key for key in entry["drop"] if key in self._areas])
            self._take(act)
        elif entry["act"] == "undo" and self._undo:
            self._turn(self._undo, self._redo)
        elif entry["act"] == "redo" and self._redo:
            self._turn(self._redo, self._undo)

    def _write(self, line: str) -> None:
        writable_folder(self._path.parent, "Folder…")
        try:
            with self._path.open("ab", buffering=0) as file:
                end = file.tell()
                torn = end > 0 and _last_byte(self._path) != b"\n"
                data = b"\n" * torn + line.encode("utf-8") + b"\n"
                try:
                    if file.write(data) != len(data):
                        raise OSError(28, os.strerror(28))
                    os.fsync(file.fileno())
                except OSError:
                    file.truncate(end)
                    raise
        except OSError as error:
            raise OutputError(
                f"the area cannot be saved to {self._path.name} ({error.strerror or error}): all areas "
                "before it are safe; make room on the disk and try again"
            ) from error


@dataclass(frozen=True, slots=True, eq=False)
class _Act:
    """What an act put and dropped, and what was there before (None: nothing)."""

    put: dict[str, Area]
    drop: tuple[str, ...]
    before: dict[str, Area | None]


def _last_byte(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1)


def _line(word: str, act: _Act) -> str:
    put = [
        {
            "key": area.key,
            "name": area.name,
            "who": area.who,
            "time": area.time,
            "rings": [[np.round(ring, 2).tolist() for ring in part] for part in rings_of(area.shape)],
        }
        for area in act.put.values()
    ]
    entry = {"act": word, "time": now(), "put": put, "drop": list(act.drop)}
    return json.dumps(entry, ensure_ascii=False, separators=(",", ":"))


def _area(entry: dict[str, Any]) -> Area:
    from shapely import union_all

    parts = [polygon_of(outline, holes) for outline, *holes in entry["rings"]]
    shape = parts[0] if len(parts) == 1 else union_all(parts)
    made = Area(key=str(entry["key"]), shape=shape, name=str(entry["name"]))
    return replace(made, who=str(entry.get("who", "")), time=str(entry.get("time", "")))
