"""The pixel size held against nuclei and the finest detail."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_her2.slides import open_slide
from napari_her2.tissue import check_size, find_tissue
from napari_her2.tissue.ruler import doubt
from napari_her2.tissue.sharpness import finest_detail
from napari_her2.tissue.spots import find_spots

CORES = Path("../shared/data/her2_ihc/gea-tma")


def blank(side_px: int = 400) -> np.ndarray:
    return np.full((side_px, side_px), 0.05, np.float32)


@pytest.mark.parametrize("diameter_px", [8, 14, 22, 36])
def test_spots_have_the_diameter_at_half_of_their_contrast(diameter_px: int) -> None:
    import cv2

    density = blank()
    for row in range(60, 400, 100):
        for col in range(60, 400, 100):
            cv2.circle(density, (col * 8, row * 8), diameter_px * 4, 0.45, -1, cv2.LINE_AA, 3)
    found = find_spots(cv2.GaussianBlur(density, (0, 0), 1.0), 0.2)
    assert len(found.diameter_px) == 16
    assert np.median(found.diameter_px) == pytest.approx(diameter_px, rel=0.08)
    assert np.median(found.contrast_od) == pytest.approx(0.4, abs=0.06)


def test_lines_and_blank_glass_are_no_spots() -> None:
    density = blank()
    assert len(find_spots(density).diameter_px) == 0
    density[:, 200:206] = 0.5
    assert len(find_spots(density, 0.1).diameter_px) == 0


def band_limited(cycles_per_px: float) -> np.ndarray:
    """Structure as steep as that of tissue, with a soft end as an objective's."""
    noise = np.fft.rfft2(np.random.default_rng(3).normal(size=(768, 768)))
    radius = np.hypot(np.fft.fftfreq(768)[:, None], np.fft.rfftfreq(768)[None, :])
    shaped = noise / np.maximum(radius, 1 / 768) * np.exp(-((radius / cycles_per_px) ** 4))
    field = np.fft.irfft2(shaped)
    return (0.2 + 0.05 * field / field.std()).astype(np.float32)


@pytest.mark.parametrize("um_per_px", [0.2, 0.25, 0.35])
def test_detail_ends_where_the_optics_end_it(um_per_px: float) -> None:
    """The same pixels at another stated size: the end moves with the size and nothing else."""
    sharp, soft = (finest_detail([band_limited(end)], um_per_px) for end in (0.25, 0.17))
    assert sharp is not None
    assert soft is not None
    assert sharp == pytest.approx(0.227 / um_per_px, rel=0.1)
    assert sharp / soft == pytest.approx(0.25 / 0.17, rel=0.1)


def test_detail_is_not_told_from_blank_fields_or_from_coarse_pixels() -> None:
    assert finest_detail([blank()], 0.25) is None
    assert finest_detail([band_limited(0.9)], 0.25) is None


@pytest.mark.parametrize(
    ("stated_um", "nuclei", "detail", "doubtful", "ruler"),
    [
        (0.25, 0.1, 0.0, False, "nuclei and fine structure"),
        (0.175, -0.4, 0.5, True, "nuclei and fine structure"),
        (0.35, 0.5, -0.5, True, "nuclei and fine structure"),
        (0.25, 0.1, -0.35, False, "nuclei and fine structure"),  # blurred
        (0.25, 0.5, -0.13, False, "nuclei and fine structure"),  # a field of large nuclei
        (0.5, -0.34, -0.96, False, "nuclei"),  # optics that end earlier, true size
        (0.35, -0.62, -0.01, True, "nuclei"),  # the same, too small
        (0.96, 0.52, -1.57, True, "nuclei"),  # the same, too large
        (0.25, 0.56, -1.22, False, "none"),  # blurred
        (0.175, -0.16, 0.47, True, "fine structure"),
        (0.175, None, 0.5, True, "fine structure"),
        (0.35, None, -0.5, True, "fine structure"),
        (0.25, None, -0.6, False, "none"),  # blurred, and no nuclei to tell that from a wrong size
        (0.5, None, None, False, "none"),
        (0.25, 0.4, None, False, "none"),
    ],
)
def test_decision(
    stated_um: float, nuclei: float | None, detail: float | None, doubtful: bool, ruler: str
) -> None:
    found = doubt(stated_um, nuclei, detail)
    assert (found.doubtful, found.ruler) == (doubtful, ruler)
    if found.suggested_um is not None:
        low, high = found.suggested_um
        assert (low <= stated_um <= high) or doubtful


@pytest.mark.parametrize(
    ("name", "true_um"), [("CMU-1-Small-Region.svs", 0.499), ("HE_example-0.50um.tif", 0.5)]
)
def test_true_sizes_of_other_scanners_fit(name: str, true_um: float) -> None:
    """Their optics end detail earlier than those of the cores."""
    path = CORES.parent.parent / "slides" / name
    if not path.exists():
        pytest.skip("the slides of ../shared/data are not here")
    seen = []
    for factor in (0.7, 1.0):
        with open_slide(path, um_per_px=true_um * factor) as slide:
            seen.append(check_size(slide, find_tissue(slide)).doubtful)
    assert seen == [True, False]


@pytest.mark.parametrize("name", ["0_ccb6", "2_0123", "3_a1f1"])
def test_wrong_sizes_of_real_cores_are_noticed(name: str) -> None:
    found = sorted(CORES.glob(f"{name}*.jpg"))
    if not found:
        pytest.skip("the cores of ../shared/data are not here")
    seen = []
    for factor in (0.7, 1.0, 1.4):
        with open_slide(found[0], um_per_px=0.25 * factor) as slide:
            seen.append(check_size(slide, find_tissue(slide)))
    assert [check.doubtful for check in seen] == [True, False, True]
    for check in seen:
        assert check.suggested_um is not None
        assert check.suggested_um[0] <= 0.25 * 1.05
        assert check.suggested_um[1] >= 0.25 * 0.95
