"""Finished stages of a run, each under a key of all it depends on, so that a killed run can go on."""

from __future__ import annotations

import hashlib
import json
import shutil
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from napari_her2.case.packing import pack, unpack
from napari_her2.errors import CaseError
from napari_her2.store import read_json, write_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["StageStore", "key_of"]

_SCHEMA: Final = 1  # goes up when a stage of older versions must not be taken any more


def key_of(facts: Mapping[str, Any]) -> str:
    """Return a key for everything that a result depends on: equal facts, equal key.

    Parameters
    ----------
    facts : mapping
        Plain JSON values.
    """
    text = json.dumps([_SCHEMA, facts], sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


@dataclass(frozen=True, slots=True)
class StageStore:
    """Results by stage and key in a folder; of each stage only the latest key is kept.

    Attributes
    ----------
    folder : Path
        Where they lie.
    """

    folder: Path

    def load(self, stage: str, key: str, part: str = "whole") -> Any | None:
        """Return a stored value, or None where there is none under this key, or a damaged one."""
        path = self._path(stage, key, part)
        with suppress(CaseError):
            return unpack(path) if path.is_file() else None
        return None

    def save(self, stage: str, key: str, value: Any, part: str = "whole") -> None:
        """Store a value; those of other keys of this stage are dropped."""
        self._drop_others(stage, key)
        pack(self._path(stage, key, part), value)

    def place(self, stage: str, key: str) -> Path:
        """Return a folder for a stage that writes its own files; those of other keys are dropped."""
        self._drop_others(stage, key)
        place = self._place(stage, key)
        place.mkdir(parents=True, exist_ok=True)
        return place

    def seconds(self, stage: str, key: str) -> float:
        """Return how long the stage took when it ran (0 if that is not known)."""
        path = self._place(stage, key) / "seconds.json"
        return float(read_json(path)) if path.is_file() else 0.0

    def finish(self, stage: str, key: str, seconds: float) -> None:
        """Note how long the stage took."""
        write_json(self._place(stage, key) / "seconds.json", round(seconds, 3))

    def forget(self) -> None:
        """Drop everything."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _place(self, stage: str, key: str) -> Path:
        return self.folder / stage / key[:16]  # short names: Windows allows 260 letters in all

    def _path(self, stage: str, key: str, part: str) -> Path:
        return self._place(stage, key) / f"{part}.npz"

    def _drop_others(self, stage: str, key: str) -> None:
        keep = self._place(stage, key)
        if (self.folder / stage).is_dir():
            for other in (self.folder / stage).iterdir():
                if other != keep:
                    shutil.rmtree(other, ignore_errors=True)
