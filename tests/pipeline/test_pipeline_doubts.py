"""Signs that a slide is not what it was taken for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.pipeline.phantoms import render
from tests.pipeline.test_pipeline_case import scored

from napari_her2.pipeline import CaseRequest, Wishes
from napari_her2.pipeline.doubts import hardly_her2, unusual_pattern

if TYPE_CHECKING:
    from pathlib import Path

PATTERNS = [
    # 3+, 2+, unusual, 1+, 0 -> pattern, hardly HER2
    ((0, 20, 26, 19, 35), True, False),
    ((70, 10, 12, 5, 3), False, False),
    ((0, 0, 9, 0, 91), False, False),
    ((0, 0, 11, 5, 84), True, False),
    ((10, 20, 40, 20, 10), True, True),
]


@pytest.mark.parametrize(("shares", "pattern", "hardly"), PATTERNS)
def test_open_membranes(shares: tuple[int, ...], pattern: bool, hardly: bool) -> None:
    percent = dict(zip(("3+", "2+", "unusual", "1+", "0"), map(float, shares), strict=True))
    assert (unusual_pattern(percent), hardly_her2(percent)) == (pattern, hardly)


def test_a_wrong_pixel_size_is_doubted(tmp_path: Path) -> None:
    folder = render(tmp_path / "p", score="2+", seed=1, size_um=(300.0, 300.0))
    right, wrong = (
        scored(
            CaseRequest(
                ihc=folder / "ihc.ome.tif",
                out=tmp_path / f"case{um}",
                options=Wishes(engine="classical", um_per_px_ihc=um, min_cells=20),
                preferences=Wishes(),
            )
        )[0]
        for um in (0.25, 0.1)
    )
    assert "pixel_size_doubtful" not in right.call.flags
    assert "pixel_size_doubtful" in wrong.call.flags
    assert "0.1 µm/px does not fit what the tissue shows" in wrong.call.reason
    size = right.qc.pixel_size
    assert size is not None
    assert [call.um_per_px for call in size.calls] == [0.2, 0.3125]


def test_another_antigen_in_glands_is_equivocal_at_most(tmp_path: Path) -> None:
    """FHL2 in colon: brown cells all the same, but no HER2."""
    data = pytest.importorskip("skimage.data")
    import cv2

    cv2.imwrite(str(tmp_path / "fhl2.png"), data.immunohistochemistry()[..., ::-1])
    report, _ = scored(
        CaseRequest(
            ihc=tmp_path / "fhl2.png",
            out=tmp_path / "case",
            options=Wishes(engine="classical", um_per_px_ihc=0.5),
            preferences=Wishes(),
        )
    )
    assert report.call.score != "3+"
    assert report.her2_status != "positive"
    assert {"no_tumour_gate", "tumour_unconfirmed"} <= set(report.call.flags)
