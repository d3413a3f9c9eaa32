"""A case as one file, to hand on: ``NAME.her2.zip``."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from napari_her2.case.bundle import read_case
from napari_her2.case.whereabouts import find_slide
from napari_her2.errors import CaseError
from napari_her2.store import replacing, replacing_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_her2.case.bundle import CaseBundle

__all__ = ["PACKED", "is_packed_case", "pack_case", "unpack_case"]

PACKED: Final = ".her2.zip"
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_PACKED_ALREADY: Final = frozenset({".parquet", ".zarr", ".npz", ".tif", ".tiff", ".svs", ".ndpi", ".jpg"})
_LEFT_OUT: Final = frozenset({".stages", "lock", ".lock"})
_MOST_RATIO: Final = 500
_LEAST_SUSPECT: Final = 2**30


def is_packed_case(path: Path) -> bool:
    """Whether a name is that of a packed case."""
    return path.name.lower().endswith(PACKED)


def pack_case(bundle: CaseBundle, out: Path, *, with_slides: bool = False) -> int:
    """Write a case as one file; equal cases give equal files.

    Slides may hold label images with names on them: they go along only if wanted.

    Parameters
    ----------
    bundle : CaseBundle
    out : Path
        By custom ``*.her2.zip``.
    with_slides : bool

    Returns
    -------
    int
        Number of files inside.

    Raises
    ------
    CaseError
        If a slide is wanted and cannot be found.
    OutputError
        If the file cannot be written.
    """
    root = bundle.folder
    entries = [(path.relative_to(root).as_posix(), path) for path in _files(root)]
    if with_slides:
        entries += [entry for entry in _slides(bundle) if entry[0] not in {name for name, _ in entries}]
    with replacing(out) as temporary, zipfile.ZipFile(temporary, "w", allowZip64=True) as archive:
        for name, path in sorted(entries):
            info = zipfile.ZipInfo(name, _EPOCH)
            info.compress_type = _method(path, name)
            info.external_attr = 0o644 << 16
            with archive.open(info, "w", force_zip64=True) as target, path.open("rb") as source:
                shutil.copyfileobj(source, target, 1 << 20)
    return len(entries)


def _files(root: Path) -> Iterator[Path]:
    for path in sorted(root.rglob("*")):
        parts = path.relative_to(root).parts
        if path.is_file() and not _LEFT_OUT & set(parts) and not path.name.endswith(".tmp"):
            yield path


def _slides(bundle: CaseBundle) -> Iterator[tuple[str, Path]]:
    for slide in bundle.slides:
        path = find_slide(slide, bundle.folder)
        if path is None:
            raise CaseError(
                f"{slide.name} cannot be found, so it cannot be packed: tell the case where it lies with "
                f"`case relink CASE --{slide.role} FILE`"
            )
        if path.is_file():
            yield f"slides/{slide.role}/{slide.name}", path
        else:
            for file in _files(path):
                yield f"slides/{slide.role}/{slide.name}/{file.relative_to(path).as_posix()}", file


def _method(path: Path, name: str) -> int:
    """Zarr chunks, tables and slides are packed already."""
    packed = path.suffix.lower() in _PACKED_ALREADY or (".zarr/" in name and path.suffix != ".json")
    return zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED


def unpack_case(packed: Path, out: Path) -> CaseBundle:
    """Unpack a case into a folder, which appears only when all of it is there and opens.

    Raises
    ------
    CaseError
        If the file is no packed case, is damaged, names files outside its folder, or ``out`` is taken.
    OutputError
        If the folder cannot be written.
    """
    if out.exists() and (out.is_file() or any(out.iterdir())):
        raise CaseError(f"{out.name} is there already: give a new folder with --out")
    try:
        with zipfile.ZipFile(packed) as archive:
            _check(archive, packed)
            with replacing_folder(out) as folder:
                for info in archive.infolist():
                    _extract(archive, info, folder)
                read_case(folder)
    except (OSError, zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, RuntimeError) as error:
        raise CaseError(f"{packed.name} is no packed case or is damaged: have it packed again") from error
    return read_case(out)


def _check(archive: zipfile.ZipFile, packed: Path) -> None:
    infos = archive.infolist()
    for info in infos:
        place = PurePosixPath(info.filename)
        outside = place.is_absolute() or ".." in place.parts or "\\" in info.filename or ":" in info.filename
        if outside or info.flag_bits & 1 or (info.external_attr >> 16) & 0o170000 == 0o120000:
            raise CaseError(f"{packed.name} holds {info.filename[:80]!r}, which no case holds: do not use it")
    whole = sum(info.file_size for info in infos)
    if whole > _LEAST_SUSPECT and whole > _MOST_RATIO * max(packed.stat().st_size, 1):
        raise CaseError(
            f"{packed.name} would unpack to {whole / 2**30:.0f} GiB, far more than a case: do not use it"
        )
    names = {info.filename for info in infos}
    if not {"case.json", "report.json"} <= names:
        raise CaseError(f"{packed.name} holds no case: it lacks case.json or report.json")


def _extract(archive: zipfile.ZipFile, info: zipfile.ZipInfo, folder: Path) -> None:
    target = folder / PurePosixPath(info.filename)
    if info.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(info) as source, target.open("wb") as sink:
        shutil.copyfileobj(source, sink, 1 << 20)
