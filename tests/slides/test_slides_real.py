"""Real slides, where they lie beside the checkout."""

from __future__ import annotations

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from skimage.registration import phase_cross_correlation
from tests.open_files import listed, open_files

from napari_her2.errors import NoResolutionError, SlideError
from napari_her2.geometry import Box
from napari_her2.slides import describe, dicom_exact, open_slide
from napari_her2.slides.dicom import DicomSource
from napari_her2.slides.dicom_exact import ExactDicomSource
from napari_her2.slides.openslide_source import OpenSlideSource
from napari_her2.slides.slide import Slide

CMU = "slides/CMU-1-Small-Region.svs"
CMU_DICOM = "slides/cmu-1-small-region-dicom"
TCGA = "slides/tcga-cr-7395-no-mpp.svs"
CYTOLOGY = "registration/cytology-4-scanners/563479-"


def test_svs(shared_data):
    with open_slide(shared_data(CMU)) as slide:
        assert slide.shape == (2967, 2220)
        assert (slide.um_per_px, slide.objective, slide.vendor) == (0.499, 20.0, "aperio")
        assert slide.associated == ("label", "macro", "thumbnail")
        assert slide.white == pytest.approx((244, 243, 243), abs=3)
        assert slide.associated_image("label").shape == (463, 387, 3)
        assert "Aperio" not in str(describe(slide))


def test_svs_equals_what_openslide_reads(shared_data):
    import openslide

    for name in (CMU, TCGA):
        with open_slide(shared_data(name)) as slide, openslide.OpenSlide(shared_data(name)) as other:
            for level in slide.levels:
                rows, cols = (side * 2 // 3 for side in level.shape)
                part = np.asarray(other.read_region((0, 0), level.index, (cols, rows)))[..., :3]
                assert np.array_equal(slide.read_level(Box(0, 0, rows, cols), level.index), part)


def test_openslide_source_gives_the_same_slide(shared_data):
    """The way of NDPI, MRXS, SCN and the like, on the one vendor's file that is here."""
    path = shared_data(CMU)
    with open_slide(path) as slide, Slide(path, OpenSlideSource(path), None, "--um-per-px") as other:
        assert (other.format, other.shape, other.um_per_px) == ("openslide", slide.shape, slide.um_per_px)
        assert (other.objective, other.vendor, other.associated) == (20.0, "aperio", slide.associated)
        for box in (Box(0, 0, 300, 300), Box(1111, 777, 512, 512), Box(2700, 2000, 500, 500)):
            assert np.array_equal(slide.read(box), other.read(box))
        label = np.abs(slide.associated_image("label").astype(int) - other.associated_image("label"))
        assert label.max() <= 1


def test_dicom_equals_svs_within_jpeg_error(shared_data):
    with open_slide(shared_data(CMU)) as slide, open_slide(shared_data(CMU_DICOM)) as dicom:
        assert dicom.format == "dicom"
        assert dicom.shape == slide.shape
        assert dicom.um_per_px == pytest.approx(slide.um_per_px)
        assert dicom.associated == slide.associated
        error = slide.read(Box(900, 400, 1200, 1200)).astype(int) - dicom.read(Box(900, 400, 1200, 1200))
        assert np.abs(error.mean(axis=(0, 1))).max() < 1
        assert np.abs(error).mean() < 5
        assert np.quantile(np.abs(error), 0.99) <= 30
        corner = slide.read(Box(2900, 2100, 100, 200)).astype(int) - dicom.read(Box(2900, 2100, 100, 200))
        assert np.abs(corner).mean() < 5
        assert dicom.icc is not None
        assert dicom.associated_image("macro").shape == (431, 1280, 3)


@pytest.mark.parametrize("file", ["", "3.dcm"])
def test_both_readers_of_dicom_agree_exactly(shared_data, monkeypatch, file):
    folder = shared_data(CMU_DICOM)
    monkeypatch.chdir(folder.parent)
    path = Path(folder.name) / file
    with open_slide(path) as quick:
        assert isinstance(quick._source, ExactDicomSource)
        monkeypatch.setitem(dicom_exact.PLAIN, "dicom.BitsStored", "12")
        with open_slide(path) as slow:
            assert isinstance(slow._source, DicomSource)
            whole = Box.of_shape(quick.shape)
            assert np.array_equal(quick.read(whole), slow.read(whole))
            assert describe(quick) == describe(slow)
            assert (quick.icc, quick.files, quick.sha256()) == (slow.icc, slow.files, slow.sha256())
            for name in ("label", "macro"):  # wsidicom shrinks the thumbnail
                both = [slide.associated_image(name).astype(int) for slide in (quick, slow)]
                assert np.abs(both[0] - both[1]).max() <= 1, name


def test_two_dicom_slides_in_a_folder_are_asked_about(shared_data, tmp_path):
    import pydicom

    folder = tmp_path / "two"
    folder.mkdir()
    for file in shared_data(CMU_DICOM).iterdir():
        shutil.copyfile(file, folder / file.name)
    other = pydicom.dcmread(folder / "2.dcm")
    other.SeriesInstanceUID = "1.2.3.4"
    other.save_as(folder / "9.dcm")
    with pytest.raises(SlideError, match="2 DICOM slides"):
        open_slide(folder)
    with open_slide(folder / "9.dcm") as slide:
        assert (slide.name, [file.name for file in slide.files]) == ("9.dcm", ["9.dcm"])


def test_dicom_folder_and_any_of_its_files_are_one_slide(shared_data):
    folder = shared_data(CMU_DICOM)
    with open_slide(folder) as slide:
        name, digest = slide.name, slide.sha256()
        expected = slide.read(Box(500, 500, 100, 100))
    assert name == "cmu-1-small-region-dicom"
    for file in ("1.dcm", "2.dcm"):
        with open_slide(folder / file) as slide:
            assert (slide.name, slide.sha256()) == (name, digest)
            assert np.array_equal(slide.read(Box(500, 500, 100, 100)), expected)


@pytest.mark.parametrize("share", [0.001, 0.3, 0.9])
def test_truncated_dicom(shared_data, tmp_path, share):
    folder = tmp_path / "cut"
    shutil.copytree(shared_data(CMU_DICOM), folder, copy_function=shutil.copyfile)
    folder.chmod(0o700)
    with (folder / "2.dcm").open("r+b") as file:
        file.truncate(int((folder / "2.dcm").stat().st_size * share))
    with pytest.raises(SlideError, match=r"cut|2\.dcm") as caught, open_slide(folder) as slide:
        slide.read(Box.of_shape(slide.shape))
    assert str(tmp_path) not in str(caught.value)


def test_dicom_reads_the_same_from_eight_threads(shared_data):
    boxes = [Box(r, c, 240, 240) for r in range(100, 2400, 300) for c in range(50, 1900, 300)]
    with open_slide(shared_data(CMU_DICOM)) as slide:
        expected = [slide.read(box) for box in boxes]
    start = threading.Barrier(8)
    with open_slide(shared_data(CMU_DICOM)) as slide, ThreadPoolExecutor(8) as pool:

        def work(first: int) -> list[np.ndarray]:
            start.wait(timeout=60)
            return [slide.read(box) for box in boxes[first::8]]

        for first, blocks in enumerate(pool.map(work, range(8))):
            for block, right in zip(blocks, expected[first::8], strict=True):
                assert np.array_equal(block, right)


@pytest.mark.parametrize(
    ("name", "shape", "n_levels"),
    [
        (TCGA, (3567, 4443), 2),
        ("slides/crc-ihc-15.tif", (4691, 5120), 6),
        ("slides/crc-ihc-8.tif", (7168, 4222), 6),
        ("slides/kidney-ihc.tif", (901, 1493), 1),
        (CYTOLOGY + "aperio.svs", (5120, 4960), 6),
        (CYTOLOGY + "axioscan.tif", (5100, 5120), 6),
        (CYTOLOGY + "nanozoomer-ht.ndpi", (5013, 5120), 6),
        (CYTOLOGY + "nanozoomer-s210.ndpi", (5120, 4800), 6),
    ],
)
def test_slides_without_pixel_size(shared_data, name, shape, n_levels):
    with open_slide(shared_data(name)) as slide:
        assert slide.shape == shape
        assert [level.downsample for level in slide.levels] == [2.0**k for k in range(n_levels)]
        assert not slide.has_um_per_px
        with pytest.raises(NoResolutionError):
            _ = slide.um_per_px
        assert min(slide.white) > 225
        thumbnail = slide.thumbnail(256)
        assert max(thumbnail.shape) == 256
        assert (thumbnail.reshape(-1, 3).max(axis=1) > 40).mean() > 0.95  # nowhere black


@pytest.mark.parametrize("name", ["crc-ihc-15.tif", "crc-ihc-8.tif", "tcga-cr-7395-no-mpp.svs"])
def test_levels_show_the_same_place(shared_data, name):
    """A region read at each level, brought to one size, is the same picture."""
    with open_slide(shared_data("slides/" + name), um_per_px=0.5) as slide:
        region = Box(1000, 900, 1600, 1600)
        fine = slide.read_at(region, 4.0).astype(float)
        for level in slide.levels[1:3]:
            factor = int(8 / level.downsample)
            block = slide.read(region, level.index).astype(float)
            block = (
                block[: 200 * factor, : 200 * factor].reshape(200, factor, 200, factor, 3).mean(axis=(1, 3))
            )
            moved, _, _ = phase_cross_correlation(fine.mean(axis=2), block.mean(axis=2), upsample_factor=20)
            assert np.abs(moved).max() <= 0.1
            assert np.corrcoef(fine.ravel(), block.ravel())[0, 1] > 0.93


def test_broken_svs(shared_data):
    with pytest.raises(SlideError, match=r"broken.svs is not a slide"):
        open_slide(shared_data("slides/broken.svs"))


@pytest.mark.parametrize("share", [0.3, 0.6, 0.97])
def test_truncated_svs(shared_data, tmp_path, share):
    data = shared_data(CMU).read_bytes()
    path = tmp_path / "cut.svs"
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(SlideError, match=r"cut\.svs"), open_slide(path) as slide:
        slide.read(Box.of_shape(slide.shape))


def test_large_jpeg_as_a_field(shared_data):
    with open_slide(shared_data("registration/her2st-serial-he/C2.jpg"), um_per_px=0.686) as slide:
        assert (slide.format, slide.shape) == ("field", (9911, 9274))
        assert [level.stored for level in slide.levels] == [True, False, False, False]
        assert describe(slide)["levels"] == [{"shape": [9911, 9274], "downsample": 1.0, "um_per_px": 0.686}]
        coarse = slide.read_at(Box(4000, 3000, 2048, 2048), 0.686 * 8)
        fine = slide.read(Box(4000, 3000, 2048, 2048)).reshape(256, 8, 256, 8, 3).mean(axis=(1, 3))
        assert np.abs(coarse - fine).max() <= 2


@listed
@pytest.mark.parametrize("name", [CMU, CMU_DICOM, "slides/crc-ihc-8.tif", "slides/kidney-ihc.tif"])
def test_no_file_stays_open(shared_data, name):
    path = shared_data(name)
    with open_slide(path) as slide:
        slide.read(Box(0, 0, 300, 300))
        assert open_files(path) or path.is_dir(), "a DICOM folder opens its files for each read"
    assert not open_files(path)
