"""Where a case's slides lie on this machine.

A case holds file names only, since folders may name people and cases are handed on. The full path
stays in the user's own cache, under the slide's hash.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from napari_her2.errors import CaseError, OutputError
from napari_her2.store import read_json, write_json

if TYPE_CHECKING:
    from napari_her2.case.bundle import CaseSlide

__all__ = ["cache_folder", "find_slide", "remember_slide"]


def cache_folder() -> Path:
    """Return the user's cache folder of this program (``NAPARI_HER2_CACHE`` overrides it)."""
    override = os.environ.get("NAPARI_HER2_CACHE")
    if override:
        return Path(override)
    from platformdirs import user_cache_path

    return user_cache_path("napari-her2", appauthor=False)


def _note(sha256: str) -> Path:
    return cache_folder() / "slides" / f"{sha256}.json"


def remember_slide(sha256: str, path: Path) -> None:
    """Note on this machine where a slide lies; if the cache cannot be written nothing is lost."""
    with suppress(OutputError):
        write_json(_note(sha256), {"path": str(path.absolute())})


def find_slide(slide: CaseSlide, case: Path) -> Path | None:
    """Find a slide again: where it was when scored, or under its name in or near the case's folder.

    The content is not compared: that would read the whole file. A slide whose hash differs is noticed
    when it is scored again.
    """
    near = (case / "slides" / slide.role, case, case.absolute().parent, case.absolute().parent.parent)
    candidates = [folder / slide.name for folder in near]
    with suppress(CaseError, KeyError, TypeError):
        candidates.insert(0, Path(read_json(_note(slide.sha256))["path"]))
    return next((path for path in candidates if path.exists()), None)
