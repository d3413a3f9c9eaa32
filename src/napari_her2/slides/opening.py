"""From a path to a slide: what the bytes say decides, not the suffix."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_her2.errors import SlideError
from napari_her2.slides.resolution import check_given
from napari_her2.slides.slide import Slide

if TYPE_CHECKING:
    from napari_her2.slides.source import Source
    from napari_her2.slides.white import White

__all__ = ["open_slide"]

READABLE = "SVS, NDPI, MRXS, SCN, BIF, OME-TIFF, TIFF, OME-Zarr, DICOM, PNG or JPEG"
TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
PNG_MAGIC, JPEG_MAGIC = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
UNREADABLE = (".vsi",)  # a TIFF whose only pixels are an overview; the slide lies in other files
DICOM_MAGIC, DICOM_PREAMBLE = b"DICM", 128


def open_slide(
    path: str | Path,
    *,
    um_per_px: float | None = None,
    option: str = "--um-per-px",
    white: White | None = None,
) -> Slide:
    """Open a slide or a plain picture.

    Parameters
    ----------
    path : str or Path
        A file; or a folder for OME-Zarr and DICOM.
    um_per_px : float, optional
        Size of a level-0 pixel in µm, 0.02 to 100; it goes before what the file states.
    option : str
        What errors call the way to give it.
    white : White, optional
        Colour of empty glass; it goes before what the slide shows.

    Returns
    -------
    Slide
        Its ``um_per_px`` raises NoResolutionError where the file states none and none was given.

    Raises
    ------
    SlideError
        If the file is missing, empty, damaged, no slide, or of an unsupported kind of pixels.
    UsageError
        If ``um_per_px`` lies outside 0.02 to 100.
    """
    given = check_given(um_per_px, option)
    path = Path(path)
    source = _source(path)
    try:
        return Slide(path, source, given, option, white)
    except SlideError:
        source.close()
        raise


def _source(path: Path) -> Source:
    try:
        if path.is_dir():
            return _from_folder(path)
        return _from_file(path, _first_bytes(path))
    except OSError as error:
        raise SlideError(f"{path.name} cannot be read: {error.strerror or error}") from error


def _first_bytes(path: Path) -> bytes:
    if not path.exists():
        raise SlideError(f"{path.name} does not exist: check the path")
    with path.open("rb") as file:
        head = file.read(DICOM_PREAMBLE + len(DICOM_MAGIC))
    if not head:
        raise SlideError(f"{path.name} is empty: copy or export it again")
    return head


def _from_folder(path: Path) -> Source:
    from napari_her2.slides.dicom import dicom_files
    from napari_her2.slides.ome_zarr import OmeZarrSource, is_zarr_folder

    if is_zarr_folder(path):
        return OmeZarrSource(path)
    if dicom_files(path):
        return _dicom_source(path)
    name = path.resolve().name or "this"
    raise SlideError(f"{name} is a folder without a slide: give a file, an OME-Zarr or a DICOM folder")


def _from_file(path: Path, head: bytes) -> Source:
    if head[DICOM_PREAMBLE:] == DICOM_MAGIC:
        return _dicom_source(path)
    if head.startswith(PNG_MAGIC):
        return _picture(path)
    # Vendors' formats come before TIFF and JPEG: some are TIFF, and the index file of MIRAX is a JPEG.
    vendor = _vendor(path)
    if vendor == "aperio":
        return _aperio_source(path)
    if vendor not in (None, "generic-tiff", "dicom"):
        return _vendors_source(path)
    return _from_plain_file(path, head)


def _from_plain_file(path: Path, head: bytes) -> Source:
    if path.suffix.lower() in UNREADABLE:
        raise SlideError(f"{path.name} cannot be read: export it as OME-TIFF, e.g. with QuPath")
    if head.startswith(TIFF_MAGIC):
        from napari_her2.slides.tiff import TiffSource

        return TiffSource(path)
    if head.startswith(JPEG_MAGIC):
        return _picture(path)
    raise SlideError(f"{path.name} is not a slide: give {READABLE}")


def _dicom_source(path: Path) -> Source:
    """Read DICOM through OpenSlide where that is exact, else through wsidicom, which reads all kinds."""
    from napari_her2.slides.dicom import DicomSource, dicom_files
    from napari_her2.slides.dicom_exact import exact_dicom

    folder = path if path.is_dir() else path.parent
    return exact_dicom(path, dicom_files(folder)) or DicomSource(path)


def _picture(path: Path) -> Source:
    from napari_her2.slides.field import FieldSource

    return FieldSource(path)


def _aperio_source(path: Path) -> Source:
    """Read SVS tile by tile: exact at every level, where OpenSlide interpolates if sizes were rounded."""
    from napari_her2.slides.tiff import TiffSource, reads_exactly

    return TiffSource(path) if reads_exactly(path) else _vendors_source(path)


def _vendors_source(path: Path) -> Source:
    from napari_her2.slides.openslide_source import OpenSlideSource

    return OpenSlideSource(path)


def _vendor(path: Path) -> str | None:
    from napari_her2.slides.openslide_source import openslide_vendor

    return openslide_vendor(path)
