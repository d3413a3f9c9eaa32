"""What a DICOM object must say about the slide it belongs to, with or without a DICOM slide."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from napari_her2.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["DicomSlide", "derived_uid", "highdicom_or_say", "of_dicom_files", "source_dataset"]

WSI_CLASS: Final = "1.2.840.10008.5.1.4.1.1.77.1.6"
INSTALL: Final = 'pip install "napari-her2[dicom]"'
TILE_PX: Final = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class DicomSlide:
    """A slide as DICOM refers to it; nothing here names a patient.

    Attributes
    ----------
    shape : tuple of int
        (rows, cols) of level 0.
    um_per_px : float
    study_uid, series_uid, instance_uid, frame_uid : str
        Of the DICOM slide, or derived from the slide's hash, so that equal slides get equal UIDs.
    container : str
        Identifier of the glass; the slide's hash where there is none.
    orientation : tuple of six floats
        Direction cosines of rows and columns on the glass.
    origin_mm : tuple of two floats
        Place of the corner on the glass.
    """

    shape: tuple[int, int]
    um_per_px: float
    study_uid: str
    series_uid: str
    instance_uid: str
    frame_uid: str
    container: str
    orientation: tuple[float, ...] = (0.0, 1.0, 0.0, 1.0, 0.0, 0.0)
    origin_mm: tuple[float, float] = (0.0, 0.0)

    @classmethod
    def of_hash(cls, sha256: str, shape: tuple[int, int], um_per_px: float) -> DicomSlide:
        """For a slide that is no DICOM file."""
        return cls(
            shape=shape,
            um_per_px=um_per_px,
            study_uid=derived_uid(sha256, "study"),
            series_uid=derived_uid(sha256, "series"),
            instance_uid=derived_uid(sha256, "instance"),
            frame_uid=derived_uid(sha256, "frame"),
            container=sha256[:16],
        )


def derived_uid(*facts: str) -> str:
    """UID under the root for UUIDs (2.25), the same for the same facts (DICOM PS3.5, B.2)."""
    digest = hashlib.sha256("\0".join(("napari-her2", *facts)).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def highdicom_or_say() -> Any:
    """Import highdicom.

    Raises
    ------
    UsageError
        If it is not installed.
    """
    try:
        import highdicom
    except ImportError as error:
        raise UsageError(f"DICOM needs the extra `dicom`: install it with {INSTALL}") from error
    return highdicom


def of_dicom_files(files: Sequence[Path], sha256: str, um_per_px: float) -> DicomSlide | None:
    """Return the references of a DICOM slide's finest level, or None if these are no such files."""
    import pydicom
    from pydicom.errors import InvalidDicomError

    found = []
    for path in files:
        try:
            header = pydicom.dcmread(path, stop_before_pixels=True)
        except (OSError, InvalidDicomError):
            continue
        if header.get("SOPClassUID") == WSI_CLASS and "VOLUME" in header.get("ImageType", ()):
            found.append(header)
    if not found:
        return None
    finest = max(found, key=lambda header: int(header.TotalPixelMatrixColumns))
    origin = finest.get("TotalPixelMatrixOriginSequence")
    place = (
        (float(origin[0].XOffsetInSlideCoordinateSystem), float(origin[0].YOffsetInSlideCoordinateSystem))
        if origin
        else (0.0, 0.0)
    )
    return DicomSlide(
        shape=(int(finest.TotalPixelMatrixRows), int(finest.TotalPixelMatrixColumns)),
        um_per_px=um_per_px,
        study_uid=str(finest.StudyInstanceUID),
        series_uid=str(finest.SeriesInstanceUID),
        instance_uid=str(finest.SOPInstanceUID),
        frame_uid=str(finest.FrameOfReferenceUID),
        container=sha256[:16],
        orientation=tuple(map(float, finest.get("ImageOrientationSlide", (0, 1, 0, 1, 0, 0)))),
        origin_mm=place,
    )


def source_dataset(slide: DicomSlide, shape: tuple[int, int], um_per_px: float) -> Any:
    """Return the header of a whole-slide image as highdicom wants it, at a resolution of our choice.

    Patient and study fields are there, as the standard asks, and empty.

    Parameters
    ----------
    slide : DicomSlide
    shape : tuple of int
        (rows, cols) of the matrix that results refer to.
    um_per_px : float
        Its pixel size.
    """
    from pydicom.dataset import Dataset

    header = Dataset()
    for name in (
        "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID",
        "StudyDate", "StudyTime", "ReferringPhysicianName",
    ):  # fmt: skip
        setattr(header, name, "")
    header.SOPClassUID, header.Modality = WSI_CLASS, "SM"
    header.StudyInstanceUID, header.SeriesInstanceUID = slide.study_uid, slide.series_uid
    header.SOPInstanceUID, header.FrameOfReferenceUID = slide.instance_uid, slide.frame_uid
    header.PositionReferenceIndicator = "SLIDE_CORNER"
    header.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    _add_matrix(header, slide, shape, um_per_px)
    _add_specimen(header, slide)
    return header


def _add_matrix(header: Any, slide: DicomSlide, shape: tuple[int, int], um_per_px: float) -> None:
    from pydicom.dataset import Dataset

    rows, cols = shape
    header.TotalPixelMatrixRows, header.TotalPixelMatrixColumns = rows, cols
    header.Rows = header.Columns = TILE_PX
    header.NumberOfFrames = -(-rows // TILE_PX) * -(-cols // TILE_PX)
    header.TotalPixelMatrixFocalPlanes, header.NumberOfOpticalPaths = 1, 1
    header.DimensionOrganizationType = "TILED_FULL"
    header.ImageOrientationSlide = list(slide.orientation)
    header.ImagedVolumeWidth, header.ImagedVolumeHeight = cols * um_per_px / 1e3, rows * um_per_px / 1e3
    header.ImagedVolumeDepth = 1.0
    origin, measures, shared = Dataset(), Dataset(), Dataset()
    origin.XOffsetInSlideCoordinateSystem, origin.YOffsetInSlideCoordinateSystem = slide.origin_mm
    measures.PixelSpacing, measures.SliceThickness = [um_per_px / 1e3] * 2, 1e-3
    shared.PixelMeasuresSequence = [measures]
    header.TotalPixelMatrixOriginSequence = [origin]
    header.SharedFunctionalGroupsSequence = [shared]


def _add_specimen(header: Any, slide: DicomSlide) -> None:
    from pydicom.dataset import Dataset

    header.ContainerIdentifier = slide.container
    header.IssuerOfTheContainerIdentifierSequence = []
    header.ContainerTypeCodeSequence = []
    specimen = Dataset()
    specimen.SpecimenIdentifier = slide.container
    specimen.SpecimenUID = derived_uid(slide.container, "specimen")
    specimen.IssuerOfTheSpecimenIdentifierSequence = []
    specimen.SpecimenPreparationSequence = []
    header.SpecimenDescriptionSequence = [specimen]
