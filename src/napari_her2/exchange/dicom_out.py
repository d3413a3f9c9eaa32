"""Results as DICOM: label rasters as Segmentation, areas and cells as bulk Microscopy Annotations."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2.errors import UsageError
from napari_her2.exchange.classes import RASTER_CLASSES, class_of_cell, colour_of, rgb_of
from napari_her2.exchange.coco import join_rings
from napari_her2.exchange.dicom_source import (
    TILE_PX,
    DicomSlide,
    derived_uid,
    highdicom_or_say,
    source_dataset,
)
from napari_her2.geometry import to_xy
from napari_her2.store import replacing
from napari_her2.vocabulary import CELL_CLASSES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_her2.cells import CellTable
    from napari_her2.exchange.geojson import Area
    from napari_her2.store import Multiscale

__all__ = ["write_dicom_annotations", "write_dicom_segmentation"]

VERSION: Final = metadata.version("napari-her2")
MAKER: Final = "napari-her2 developers"
SCHEME: Final = "99NAPHER2"
MOST_PX: Final = 2**28
"""Of a segmentation: beyond, the next coarser level is written (the library wants it in memory)."""


def write_dicom_segmentation(path: Path, raster: Multiscale, slide: DicomSlide) -> int:
    """Write a label raster as a binary, tiled DICOM Segmentation; one segment per class that occurs.

    Parameters
    ----------
    path : Path
    raster : Multiscale
        Values of ``vocabulary.RASTER_LABELS``; its finest level of at most 2**28 pixels is written.
    slide : DicomSlide

    Returns
    -------
    int
        The level that was written.

    Raises
    ------
    UsageError
        If highdicom is not installed.
    OutputError
        If the file cannot be written.
    """
    hd = highdicom_or_say()
    level = next(
        (k for k, one in enumerate(raster.levels) if int(np.prod(one.shape)) <= MOST_PX),
        len(raster.levels) - 1,
    )
    um = raster.um_per_px * 2**level
    labels = np.asarray(raster.levels[level][:], np.uint8)
    values = [value for value in RASTER_CLASSES if (labels == value).any()] or [4]
    numbers = np.zeros(256, np.uint8)
    numbers[values] = np.arange(1, len(values) + 1)
    shape = (int(labels.shape[0]), int(labels.shape[1]))
    segmentation = hd.seg.Segmentation(
        source_images=[source_dataset(slide, shape, um)],
        pixel_array=numbers[labels][None],
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[_segment(hd, k, value) for k, value in enumerate(values, 1)],
        series_instance_uid=derived_uid(slide.series_uid, "segmentation"),
        series_number=1,
        sop_instance_uid=derived_uid(slide.instance_uid, "segmentation", str(level)),
        instance_number=1,
        content_label="HER2",
        content_description="HER2 classes of tumour cells; research use only",
        tile_pixel_array=True,
        tile_size=(TILE_PX, TILE_PX),
        dimension_organization_type="TILED_SPARSE",
        **_equipment(),
    )
    with replacing(path) as temporary:
        segmentation.save_as(temporary, enforce_file_format=True)
    return level


def _equipment() -> dict[str, str]:
    return {
        "manufacturer": MAKER,
        "manufacturer_model_name": "napari-her2",
        "software_versions": VERSION,
        "device_serial_number": VERSION,
    }


def _algorithm(hd: Any) -> Any:
    from pydicom.sr.codedict import codes

    return hd.AlgorithmIdentificationSequence(
        name="napari-her2", version=VERSION, family=codes.DCM.ArtificialIntelligence
    )


def _code(hd: Any, value: str, meaning: str) -> Any:
    return hd.sr.CodedConcept(value=value, scheme_designator=SCHEME, meaning=meaning)


def _segment(hd: Any, number: int, value: int) -> Any:
    from pydicom.sr.codedict import codes

    name, colour = RASTER_CLASSES[value]
    return hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=f"HER2 {name}",
        segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
        segmented_property_type=_code(hd, f"HER2-{value}", f"HER2 membrane staining {name}"),
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=_algorithm(hd),
        display_color=_lab(hd, rgb_of(colour)),
    )


def _lab(hd: Any, rgb: tuple[int, int, int]) -> Any:
    """CIELab from sRGB (IEC 61966-2-1, D65 white)."""
    linear = np.array(rgb) / 255
    linear = np.where(linear <= 0.04045, linear / 12.92, ((linear + 0.055) / 1.055) ** 2.4)
    matrix = np.array(
        [
            [0.4124564, 0.3575761, 0.1804375],
            [0.2126729, 0.7151522, 0.072175],
            [0.0193339, 0.119192, 0.9503041],
        ]
    )
    ratio = matrix @ linear / (0.95047, 1.0, 1.08883)
    f = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116)
    lightness, a, b = 116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])
    return hd.color.CIELabColor(
        float(np.clip(lightness, 0, 100)), float(np.clip(a, -128, 127)), float(np.clip(b, -128, 127))
    )


def write_dicom_annotations(
    path: Path, slide: DicomSlide, *, areas: Sequence[Area] = (), cells: CellTable | None = None
) -> int:
    """Write areas (polygons) and cells (points with measurements) as one bulk annotation object.

    Coordinates are x, y in level-0 pixels from the corner of the whole image, in double precision. DICOM's
    polygons have no holes: a hole is joined to the outline by a cut of no width.

    Returns
    -------
    int
        Number of annotation groups.

    Raises
    ------
    UsageError
        If highdicom is not installed, or there is nothing to write.
    OutputError
        If the file cannot be written.
    """
    hd = highdicom_or_say()
    groups = [*_area_groups(hd, slide, areas)]
    groups += _cell_groups(hd, slide, cells, first=len(groups) + 1) if cells is not None else []
    if not groups:
        raise UsageError(
            "there is neither an area nor a cell to write as DICOM annotations: score the case first"
        )
    content = hd.ann.MicroscopyBulkSimpleAnnotations(
        source_images=[source_dataset(slide, slide.shape, slide.um_per_px)],
        annotation_coordinate_type=hd.ann.AnnotationCoordinateTypeValues.SCOORD,
        annotation_groups=groups,
        series_instance_uid=derived_uid(slide.series_uid, "annotations"),
        series_number=2,
        sop_instance_uid=derived_uid(slide.instance_uid, "annotations"),
        instance_number=1,
        content_label="HER2",
        content_description="HER2 areas and cells; research use only",
        **_equipment(),
    )
    with replacing(path) as temporary:
        content.save_as(temporary, enforce_file_format=True)
    return len(groups)


def _group(hd: Any, slide: DicomSlide, number: int, label: str, **how: Any) -> Any:
    from pydicom.sr.codedict import codes

    return hd.ann.AnnotationGroup(
        number=number,
        uid=derived_uid(slide.instance_uid, "group", label),
        label=label,
        annotated_property_category=codes.SCT.MorphologicallyAbnormalStructure,
        algorithm_type=hd.ann.AnnotationGroupGenerationTypeValues.AUTOMATIC,
        algorithm_identification=_algorithm(hd),
        display_color=_lab(hd, colour_of(label)),
        **how,
    )


def _area_groups(hd: Any, slide: DicomSlide, areas: Sequence[Area]) -> list[Any]:
    names = sorted({area.name or "unnamed" for area in areas})
    return [
        _group(
            hd,
            slide,
            number,
            name,
            annotated_property_type=_code(hd, f"AREA-{number}", name[:64]),
            graphic_type=hd.ann.GraphicTypeValues.POLYGON,
            graphic_data=[
                to_xy(join_rings([area.outline, *area.holes]))
                for area in areas
                if (area.name or "unnamed") == name
            ],
        )
        for number, name in enumerate(names, 1)
    ]


def _cell_groups(hd: Any, slide: DicomSlide, cells: CellTable, *, first: int) -> list[Any]:
    counted = cells.select(cells.evaluable)
    present = [k for k in range(len(CELL_CLASSES)) if (counted.class_code == k).any()]
    groups = []
    for number, code in enumerate(present, first):
        of_class = counted.select(counted.class_code == code)
        name = class_of_cell(CELL_CLASSES[code], "", in_tumour=True)
        groups.append(
            _group(
                hd,
                slide,
                number,
                name,
                annotated_property_type=_code(
                    hd, f"CELL-{code}", f"Tumour cell, HER2 staining {CELL_CLASSES[code]}"
                ),
                graphic_type=hd.ann.GraphicTypeValues.POINT,
                graphic_data=list(to_xy(of_class.points_px)[:, None, :]),
                measurements=_measured(hd, of_class),
            )
        )
    return groups


def _measured(hd: Any, cells: CellTable) -> list[Any]:
    from pydicom.sr.codedict import codes

    units = codes.UCUM
    columns: list[tuple[str, str, NDArray[np.float32], Any]] = [
        ("COMPLETENESS", "Stained share of the membrane", cells.completeness, units.NoUnits),
        ("INTENSITY", "Optical density of the stained membrane", cells.intensity_od, units.NoUnits),
        ("NUCLEUS", "Area of the nucleus", cells.nucleus_area_um2, units.SquareMicrometer),
    ]
    return [
        hd.ann.Measurements(
            name=_code(hd, code, meaning), values=np.nan_to_num(values).astype(np.float32), unit=unit
        )
        for code, meaning, values, unit in columns
    ]
