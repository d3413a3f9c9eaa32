"""DICOM whole-slide images, a folder or one of its files, through wsidicom (extra ``dicom``)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_her2.errors import SlideError
from napari_her2.slides.resolution import plausible
from napari_her2.slides.source import Facts, Grid, refuse_pixels

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["DicomSource", "dicom_files", "has_dicom_magic"]

PREAMBLE, MAGIC = 128, b"DICM"
WSI_CLASS = "1.2.840.10008.5.1.4.1.1.77.1.6"
INSTALL = 'pip install "napari-her2[dicom]"'


def has_dicom_magic(path: Path) -> bool:
    """Whether a file is DICOM."""
    with path.open("rb") as file:
        return file.read(PREAMBLE + len(MAGIC))[PREAMBLE:] == MAGIC


def dicom_files(folder: Path) -> tuple[Path, ...]:
    """DICOM files directly in a folder, by name."""
    return tuple(sorted(path for path in folder.iterdir() if path.is_file() and has_dicom_magic(path)))


@dataclass(frozen=True, slots=True)
class _Series:
    """The files of one slide and what to call it."""

    name: str
    files: tuple[Path, ...]


class DicomSource:
    """One series; wsidicom locks its files only to read, not to decode."""

    _slide: Any

    def __init__(self, path: Path) -> None:
        wsidicom = _wsidicom(path.name)
        self._errors = _errors_of(wsidicom)
        series = _series_of(path)
        self._name, self._slide = series.name, None
        try:
            self._slide = wsidicom.WsiDicom.open(list(series.files))
            self._levels = tuple(self._slide.pyramid)
            self.facts = self._read_facts(series)
        except self._errors as error:
            self.close()
            raise self._damaged(error) from error

    def _read_facts(self, series: _Series) -> Facts:
        for level in self._levels:
            data = level.default_instance.image_data
            if data.bits != 8 or data.samples_per_pixel not in (1, 3):
                raise refuse_pixels(
                    self._name, f"{data.bits}-bit pixels in {data.samples_per_pixel} channels"
                )
        base = self._slide.pyramid.metadata
        equipment = self._slide.metadata.equipment
        objective = base.optical_paths[0].objective if base.optical_paths else None
        power = getattr(objective, "objective_power", None)
        return Facts(
            format="dicom",
            grids=tuple(_grid(level) for level in self._levels),
            um_per_px=plausible(float(self._levels[0].mpp.height), float(self._levels[0].mpp.width)),
            vendor=_known(getattr(equipment, "manufacturer", None)),
            objective=None if power is None else float(power),
            associated=tuple(sorted(self._associated())),
            name=series.name,
            files=series.files,
        )

    def _associated(self) -> dict[str, Any]:
        slide = self._slide
        groups = {"label": slide.labels, "macro": slide.overviews, "thumbnail": slide.pyramid.thumbnails}
        return {name: group for name, group in groups.items() if group}

    def _damaged(self, error: Exception) -> SlideError:
        detail = " ".join(str(error).split())[:120] or type(error).__name__
        return SlideError(f"{self._name} is damaged or cannot be decoded ({detail}): copy or export it again")

    def tile(self, level: int, row: int, col: int) -> NDArray[np.uint8]:
        """Decode one tile; see :class:`napari_her2.slides.source.Source`."""
        if self._slide is None:
            raise SlideError(f"{self._name} is closed: open it again to read from it")
        try:
            image = self._slide.read_tile(self._levels[level].level, (col, row))
        except self._errors as error:
            raise self._damaged(error) from error
        return _as_rgb(image)

    def associated_image(self, name: str) -> NDArray[np.uint8]:
        """Decode label, macro or thumbnail."""
        if self._slide is None:
            raise SlideError(f"{self._name} is closed: open it again to read from it")
        read = {
            "label": self._slide.read_label,
            "macro": self._slide.read_overview,
            "thumbnail": self._slide.read_thumbnail,
        }[name]
        try:
            return _as_rgb(read())
        except self._errors as error:
            raise self._damaged(error) from error

    def icc(self) -> bytes | None:
        """Return the profile of the first optical path."""
        if self._slide is None:
            return None
        paths = self._slide.pyramid.metadata.optical_paths
        return (paths[0].icc_profile or None) if paths else None

    def close(self) -> None:
        """Release the files."""
        slide, self._slide = self._slide, None
        if slide is not None:
            slide.close()


def _wsidicom(name: str) -> Any:
    try:
        import wsidicom
    except ImportError as error:
        raise SlideError(f"{name} is DICOM, whose reader is not installed: run {INSTALL}") from error
    return wsidicom


def _errors_of(wsidicom: Any) -> tuple[type[Exception], ...]:
    """All that reading may raise: the errors of wsidicom and pydicom share no base."""
    import pydicom

    kinds = (kind for module in (wsidicom.errors, pydicom.errors) for kind in vars(module).values())
    own = (kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Exception))
    common = (
        OSError,
        EOFError,
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        RuntimeError,
        struct.error,
    )
    return (*own, *common)


def _series_of(path: Path) -> _Series:
    """Group the files beside by series: all of the folder, or those that belong to the given file."""
    folder = path if path.is_dir() else path.parent
    groups: dict[str, list[Path]] = {}
    for file in dicom_files(folder):
        uid = _series_uid(file)
        if uid is not None:
            groups.setdefault(uid, []).append(file)
    if path.is_dir():
        if len(groups) != 1:
            raise SlideError(
                f"{path.name} holds {len(groups)} DICOM slides: give one file of the slide you mean"
            )
        return _Series(path.name, tuple(*groups.values()))
    uid = _series_uid(path)
    if uid is None:
        raise SlideError(
            f"{path.name} is DICOM but not a whole-slide image: give a VL Whole Slide Microscopy file"
        )
    return _Series(folder.resolve().name if len(groups) == 1 else path.name, tuple(groups[uid]))


def _series_uid(path: Path) -> str | None:
    """Series of a whole-slide file; None for another kind of DICOM."""
    import pydicom

    try:
        data = pydicom.dcmread(
            path, stop_before_pixels=True, specific_tags=["SOPClassUID", "SeriesInstanceUID"]
        )
    except (pydicom.errors.InvalidDicomError, OSError, ValueError) as error:
        raise SlideError(f"{path.name} is a damaged DICOM file: copy or export it again") from error
    return str(data.SeriesInstanceUID) if data.get("SOPClassUID") == WSI_CLASS else None


def _grid(level: Any) -> Grid:
    size, tile = level.size, level.tile_size
    return Grid((size.height, size.width), (tile.height, tile.width))


def _known(text: str | None) -> str | None:
    return None if text is None or text.strip().lower() in ("", "unknown") else text.strip()


def _as_rgb(image: Any) -> NDArray[np.uint8]:
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
