"""What a case remembers of earlier runs: whose it is, what was entered for it, the files that were drawn."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any, Final

from napari_her2.case import CASE_SCHEMA, CaseFiles
from napari_her2.errors import CaseError
from napari_her2.pipeline.engine import MODELS, is_plain_name
from napari_her2.pipeline.request import Wishes
from napari_her2.store import read_json, write_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from napari_her2.pipeline.request import CaseRequest

__all__ = [
    "FILES",
    "entered_wishes",
    "keep_inputs",
    "of_this_slide",
    "plain_wishes",
    "record_file",
    "record_of",
]

FILES: Final = ("roi", "landmarks")
"""Settings that are files: drawn by people."""


def record_file(files: CaseFiles) -> Path:
    """Return the file that says whose case this is, from the start of its first run."""
    return files.stages / "case.json"


def record_of(files: CaseFiles) -> dict[str, Any] | None:
    """Return slides (hash by role) and settings of the case in a folder; None where there is none.

    A case that was handed on may lack the stages: then its manifest says the same. A run that ended before
    its first stage, as one does that refuses its slides, made no case.
    """
    if record_file(files).is_file() and any(path.is_dir() for path in files.stages.iterdir()):
        found: dict[str, Any] = read_json(record_file(files))
        return found
    if not files.manifest.is_file():
        return None
    manifest = read_json(files.manifest)
    if not isinstance(manifest, dict) or manifest.get("schema") != CASE_SCHEMA:
        return None
    slides = {slide["role"]: slide["sha256"] for slide in manifest["slides"]}
    return {"slides": slides, "settings": manifest["settings"]}


def entered_wishes(request: CaseRequest) -> Wishes:
    """Return what was entered for this case before, overlaid with what is entered now.

    A tumour area that was drawn and landmarks that were set are work of people: they stay when a case is
    started over, and until they are replaced or forgotten.
    """
    files, record = CaseFiles(request.out), None
    with suppress(CaseError) if request.restart else nullcontext():
        record = record_of(files)
    settings = dict((record or {"settings": {}})["settings"])
    drawn = {name: files.inputs / settings.pop(name) for name in FILES if name in settings}
    drawn = {name: path for name, path in drawn.items() if path.is_file()}
    kept = drawn if request.restart else {**settings, **drawn}
    for name in request.forget:
        kept.pop(name, None)
    return Wishes.of({**kept, **request.recipe.given()}, "the case")


def of_this_slide(request: CaseRequest, sha256: str) -> bool:
    """Whether the work of people in the folder is on this IHC slide; true where there is no case yet."""
    record = None
    with suppress(CaseError):
        record = record_of(CaseFiles(request.corrections or request.out))
    return record is None or record["slides"].get("ihc") == sha256


def keep_inputs(files: CaseFiles, entered: Wishes) -> None:
    """Copy the drawn area and the landmarks into the case: without them it could not be run again."""
    paths = {path for name in FILES if (path := getattr(entered, name)) is not None}
    held = {path.name: path.read_bytes() for path in paths}
    for stale in files.inputs.glob("*"):
        if stale.name not in held:
            stale.unlink()
    for name, content in held.items():
        write_bytes(files.inputs / name, content)


def plain_wishes(wishes: Wishes) -> dict[str, Any]:
    """Return what may stay in the case: files by their names alone, since folders may name people."""
    given = wishes.given()
    plain = {name: value.name if name in FILES else value for name, value in given.items()}
    return {name: value for name, value in plain.items() if name not in MODELS or is_plain_name(value)}
