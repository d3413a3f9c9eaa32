"""Cases that are not a plain pair: the IHC alone, a picture, odd slides, controls, coarse pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.pipeline.phantoms import render
from tests.pipeline.test_pipeline_case import request, scored

from napari_her2.case import read_case
from napari_her2.pipeline import CaseRequest, Wishes

if TYPE_CHECKING:
    from pathlib import Path


def test_the_ihc_alone(pair: Path, tmp_path: Path) -> None:
    report, _ = scored(request(pair, tmp_path / "case", he=False))
    assert report.call.score == "2+"
    assert {"no_tumour_gate", "tumour_unconfirmed"} <= set(report.call.flags)
    assert report.mapping is None
    assert report.patches.he.n == 0
    assert read_case(tmp_path / "case").mapping() is None


def test_a_picture_of_a_field(pair: Path, tmp_path: Path) -> None:
    import cv2

    from napari_her2.geometry import Box
    from napari_her2.slides import open_slide

    with open_slide(pair / "ihc.ome.tif") as slide:
        rgb = slide.read(Box(200, 200, 800, 900))
    cv2.imwrite(str(tmp_path / "field.png"), rgb[..., ::-1])
    wishes = Wishes(engine="classical", um_per_px_ihc=0.25)
    report, _ = scored(
        CaseRequest(ihc=tmp_path / "field.png", out=tmp_path / "case", options=wishes, preferences=Wishes())
    )
    assert report.call.score == "2+"
    assert report.provenance.settings["min_cells"] == {"value": 20, "source": "default"}
    assert report.provenance.settings["um_per_px_ihc"] == {"value": 0.25, "source": "option"}


def test_he_given_as_ihc_is_not_scored(pair: Path, tmp_path: Path) -> None:
    wanted = CaseRequest(ihc=pair / "he.ome.tif", out=tmp_path / "case", preferences=Wishes())
    report, _ = scored(wanted)
    assert report.call.score is None
    assert "unexpected_stain" in report.call.flags
    assert "looks like H&E" in report.call.reason
    assert report.call.path == ()


def test_a_control_never_counts_and_is_scored_apart(tmp_path: Path) -> None:
    folder = render(tmp_path / "p", score="0", seed=3, size_um=(360.0, 360.0), control=True)
    report, _ = scored(request(folder, tmp_path / "case"))
    assert report.call.score == "0"
    assert report.her2_status == "negative"
    assert report.cells.excluded["control"] > 50
    assert "control_inadequate" not in report.call.flags
    wrong = {"2": "control 0"}
    report, _ = scored(request(folder, tmp_path / "case", pieces=wrong))
    assert report.her2_status == "indeterminate"
    assert "control_inadequate" in report.call.flags
    alone, _ = scored(request(folder, tmp_path / "alone", he=False))
    assert "needs_review" in alone.call.flags, "a control may be among the pieces"
    said, _ = scored(request(folder, tmp_path / "alone", he=False, pieces={"2": "control", "3": "ignore"}))
    assert "needs_review" not in said.call.flags


def test_coarse_pixels_do_not_tell_0_from_1(tmp_path: Path) -> None:
    import cv2

    from napari_her2.geometry import Box
    from napari_her2.slides import open_slide

    folder = render(tmp_path / "p", score="0", seed=2, size_um=(300.0, 300.0))
    with open_slide(folder / "ihc.ome.tif") as slide:
        rgb = slide.read_at(Box.of_shape(slide.shape), 0.8)
    cv2.imwrite(str(tmp_path / "coarse.png"), rgb[..., ::-1])
    wishes = Wishes(engine="classical", um_per_px_ihc=0.8, min_cells=5)
    report, _ = scored(
        CaseRequest(ihc=tmp_path / "coarse.png", out=tmp_path / "case", options=wishes, preferences=Wishes())
    )
    assert "coarse_pixels" in report.call.flags
    assert report.call.score is None
    *before, last = report.call.path
    assert not any(step.holds for step in before)
    assert not any("faint" in step.test for step in before), "0 and 1+ were never told apart"
    assert (last.value, last.threshold, last.holds) == (0.8, 0.6, True)
