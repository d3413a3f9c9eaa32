"""DICOM out: read back by highdicom and wsidicom, tied to the slide, without a patient."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.exchange.known import HOLE, OUTLINE, known, some_cells

from napari_her2.exchange.dicom_out import write_dicom_annotations, write_dicom_segmentation
from napari_her2.exchange.dicom_source import DicomSlide, derived_uid, of_dicom_files
from napari_her2.store import read_multiscale, write_multiscale

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytest.importorskip("highdicom")

SHA = "ab" * 32
SLIDE = DicomSlide.of_hash(SHA, (81_000, 2400), 0.25)
PATIENT = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "AccessionNumber")


def labels() -> np.ndarray:
    found = np.zeros((700, 600), np.uint8)
    found[10:200, 30:300] = 4
    found[300:400, 100:500] = 255
    found[650:, 550:] = 1
    return found


def test_highdicom_reads_the_segmentation(tmp_path: Path) -> None:
    import highdicom as hd

    write_multiscale(tmp_path / "a.zarr", labels(), um_per_px=1.0, labels={4: ("3+", "#D73027")})
    path = tmp_path / "seg.dcm"
    assert write_dicom_segmentation(path, read_multiscale(tmp_path / "a.zarr"), SLIDE) == 0
    found = hd.seg.segread(path)
    matrix = found.get_total_pixel_matrix(combine_segments=True)
    of_label = {d.SegmentLabel: int(d.SegmentNumber) for d in found.SegmentSequence}
    assert set(of_label) == {"HER2 0", "HER2 3+", "HER2 unsure or excluded"}
    np.testing.assert_array_equal(matrix == of_label["HER2 3+"], labels() == 4)
    np.testing.assert_array_equal(matrix == of_label["HER2 0"], labels() == 1)
    np.testing.assert_array_equal(matrix == of_label["HER2 unsure or excluded"], labels() == 255)
    spacing = found.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing
    assert [float(v) for v in spacing] == [1e-3, 1e-3]
    assert found.FrameOfReferenceUID == SLIDE.frame_uid
    assert all(not found.get(name) for name in PATIENT)


def test_highdicom_reads_the_annotations(tmp_path: Path) -> None:
    import highdicom as hd
    from shapely import Polygon

    cells = some_cells()
    path = tmp_path / "ann.dcm"
    write_dicom_annotations(path, SLIDE, areas=[known()], cells=cells)
    found = hd.ann.annread(path)
    groups = {group.label: group for group in found.get_annotation_groups()}
    (ring,) = groups["Tumor"].get_graphic_data("2D")
    truth = Polygon(OUTLINE[:, ::-1], [HOLE[:, ::-1]])
    assert np.abs(np.sort(np.unique(ring[:, 1]))[0] - truth.bounds[1]) < 1e-9
    assert Polygon(ring).area == pytest.approx(truth.area, abs=1e-3)
    strong = cells.select(cells.evaluable & (cells.class_code == 3))
    points = np.array(groups["Tumor: 3+"].get_graphic_data("2D")).reshape(-1, 2)
    np.testing.assert_allclose(points, strong.points_px[:, ::-1], atol=1e-9)
    _, values, _ = groups["Tumor: 3+"].get_measurements()
    np.testing.assert_allclose(values[:, 0], strong.completeness)
    assert all(not found.get(name) for name in PATIENT)


def test_wsidicom_reads_the_annotations(tmp_path: Path) -> None:
    from wsidicom.graphical_annotations import AnnotationInstance

    plain = known(holes=())
    write_dicom_annotations(tmp_path / "ann.dcm", SLIDE, areas=[plain], cells=some_cells(50))
    (instance,) = AnnotationInstance.open([tmp_path / "ann.dcm"])
    groups = {group.label: group for group in instance.groups}
    (annotation,) = list(groups["Tumor"].annotations)
    corners = np.array([[p.y, p.x] for p in annotation.geometry.points])
    np.testing.assert_allclose(corners[: len(OUTLINE)], OUTLINE, atol=0.01)
    assert sum(len(list(g.annotations)) for name, g in groups.items() if name != "Tumor") > 0


def test_a_dicom_slide_keeps_its_own_references(shared_data: Callable[[str], Path], tmp_path: Path) -> None:
    import highdicom as hd
    import pydicom

    folder = shared_data("slides/cmu-1-small-region-dicom")
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    slide = of_dicom_files(files, SHA, 0.499)
    assert slide is not None
    headers = [pydicom.dcmread(path, stop_before_pixels=True) for path in files if path.suffix == ".dcm"]
    finest = max(
        (h for h in headers if "VOLUME" in h.get("ImageType", ())), key=lambda h: h.TotalPixelMatrixColumns
    )
    assert slide.instance_uid == finest.SOPInstanceUID
    assert slide.shape == (finest.TotalPixelMatrixRows, finest.TotalPixelMatrixColumns)
    write_dicom_annotations(tmp_path / "ann.dcm", slide, areas=[known(holes=())])
    found = hd.ann.annread(tmp_path / "ann.dcm")
    assert found.StudyInstanceUID == finest.StudyInstanceUID
    assert found.ReferencedImageSequence[0].ReferencedSOPInstanceUID == finest.SOPInstanceUID


def test_uids_are_valid_and_the_same_for_the_same_slide() -> None:
    from pydicom.uid import UID

    assert DicomSlide.of_hash(SHA, (1, 1), 1.0).study_uid == SLIDE.study_uid
    uids = {SLIDE.study_uid, SLIDE.series_uid, SLIDE.instance_uid, SLIDE.frame_uid}
    assert len(uids) == 4
    assert all(UID(uid).is_valid for uid in (*uids, derived_uid("a", "b")))
