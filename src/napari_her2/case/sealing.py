"""What a case held when it was sealed, and what has been changed since."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from napari_her2.case.whereabouts import find_slide, remember_slide
from napari_her2.errors import CaseError
from napari_her2.store import read_json, sha256_of, write_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_her2.case.bundle import CaseBundle, CaseFiles, CaseSlide, SlideRole

__all__ = ["SealCheck", "SlideCheck", "contents", "relink_slide", "seal_case", "seal_of", "verify_case"]

_PASSED_OVER: Final = frozenset({"case.json", ".stages", ".desk", "lock", ".lock", "slides"})
"""The manifest, what a run and a reader keep for themselves, and slides, which have hashes of their own."""


@dataclass(frozen=True, slots=True)
class SlideCheck:
    """A slide of the case: ``same``, ``changed``, or ``not found`` on this machine."""

    role: str
    name: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SealCheck:
    """What was changed since sealing.

    Attributes
    ----------
    sealed_by, sealed_at : str or None
        The reader who sealed it and when; None where the run itself wrote the hashes.
    seal : str
        SHA-256 of the manifest's content; note it elsewhere to notice that somebody sealed anew.
    manifest_intact : bool
        Whether the manifest still has the content that its seal says; True where it has none.
    changed, missing, added : tuple of str
        Files and rasters by their name in the case.
    slides : tuple of SlideCheck
    """

    sealed_by: str | None
    sealed_at: str | None
    seal: str
    manifest_intact: bool
    changed: tuple[str, ...]
    missing: tuple[str, ...]
    added: tuple[str, ...]
    slides: tuple[SlideCheck, ...]

    @property
    def intact(self) -> bool:
        """Whether the case is as it was; a slide that is elsewhere is no change."""
        slides = all(slide.state != "changed" for slide in self.slides)
        return self.manifest_intact and slides and not (self.changed or self.missing or self.added)


def contents(files: CaseFiles) -> Iterator[tuple[str, Path]]:
    """Give name and path of all that a seal covers: files, and rasters as one.

    Review, drawn areas and masks are among them; what a run keeps to itself is not.
    """
    yield from sorted(_below(files.folder, files.folder))


def _below(folder: Path, root: Path) -> Iterator[tuple[str, Path]]:
    for path in folder.iterdir():
        if path.name in _PASSED_OVER or path.name.endswith(".tmp"):
            continue
        if path.is_file() or path.suffix == ".zarr":
            yield path.relative_to(root).as_posix(), path
        else:
            yield from _below(path, root)


def _hash_of(manifest: dict[str, Any]) -> str:
    """Hash of a manifest without its own seal."""
    plain = {name: value for name, value in manifest.items() if name != "seal"}
    text = json.dumps(plain, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def seal_of(files: CaseFiles) -> dict[str, Any]:
    """Return ``seal``, ``reader`` and ``time`` of a case that a person sealed.

    Nothing where nobody did, or where there is no manifest that can be read: then no seal holds.
    """
    try:
        manifest = read_json(files.manifest)
    except CaseError:
        return {}
    sealed = manifest.get("sealed") if isinstance(manifest, dict) else None
    return {"seal": manifest.get("seal"), **sealed} if isinstance(sealed, dict) else {}


def seal_case(bundle: CaseBundle, *, reader: str = "") -> str:
    """Hash all that the case holds now, with the time and, if wanted, the reader's name; return the seal.

    A seal is no signature: whoever can write the folder can seal it anew, under another seal.

    Raises
    ------
    OutputError
        If the manifest cannot be written.
    """
    files = bundle.files
    manifest = dict(read_json(files.manifest))
    manifest["files"] = {name: sha256_of(path) for name, path in contents(files)}
    manifest["sealed"] = {
        "reader": reader or None,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    manifest["seal"] = _hash_of(manifest)
    write_json(files.manifest, manifest)
    return str(manifest["seal"])


def verify_case(bundle: CaseBundle, *, slides: bool = True) -> SealCheck:
    """Compare a case with its manifest.

    Parameters
    ----------
    bundle : CaseBundle
    slides : bool
        Whether to hash the slides that are found, too, which reads them whole.

    Raises
    ------
    CaseError
        If the manifest lists no files.
    """
    files = bundle.files
    manifest = dict(read_json(files.manifest))
    listed = manifest.get("files")
    if not isinstance(listed, dict):
        raise CaseError(f"case.json of {files.folder.name} lists no hashes: run `score` again")
    now = dict(contents(files))
    sealed = manifest.get("sealed") or {}
    # A run seals before people add their words: until somebody seals, an added log is no change.
    own = () if sealed else (files.review.name, files.edits.name)
    return SealCheck(
        sealed_by=sealed.get("reader"),
        sealed_at=sealed.get("time"),
        seal=str(manifest.get("seal") or _hash_of(manifest)),
        manifest_intact=manifest.get("seal") in (None, _hash_of(manifest)),
        changed=tuple(name for name in listed if name in now and sha256_of(now[name]) != listed[name]),
        missing=tuple(name for name in listed if name not in now),
        added=tuple(name for name in now if name not in listed and name.partition("/")[0] not in own),
        slides=tuple(_check_slide(slide, files.folder) for slide in bundle.slides) if slides else (),
    )


def _check_slide(slide: CaseSlide, case: Path) -> SlideCheck:
    path = find_slide(slide, case)
    if path is None:
        return SlideCheck(slide.role, slide.name, "not found")
    return SlideCheck(slide.role, slide.name, "same" if _hash_of_slide(path) == slide.sha256 else "changed")


def _hash_of_slide(path: Path) -> str:
    from napari_her2.slides import open_slide

    with open_slide(path) as opened:
        return opened.sha256()


def relink_slide(bundle: CaseBundle, role: SlideRole, path: Path) -> None:
    """Note on this machine where a slide of the case lies now.

    Raises
    ------
    CaseError
        If the case has no such slide, or the file has another content.
    """
    slide = bundle.slide(role)
    if slide is None:
        raise CaseError(f"{bundle.folder.name} has no {role} slide: leave out --{role}")
    found = _hash_of_slide(path)
    if found != slide.sha256:
        raise CaseError(
            f"{path.name} is not the {role} slide of this case: its hash begins with {found[:12]}, that of "
            f"{slide.name} with {slide.sha256[:12]}"
        )
    remember_slide(slide.sha256, path)
