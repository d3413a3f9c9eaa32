"""Session, controller and canvas on a viewer model: no Qt, no window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.components import ViewerModel
from tests.napari import handmade

from napari_her2 import pipeline
from napari_her2._napari.canvas import CaseCanvas
from napari_her2._napari.controller import ScoreController
from napari_her2._napari.preferences import Preferences
from napari_her2._napari.pyramid import TilePyramid
from napari_her2._napari.session import Session
from napari_her2._napari.tiles import TileCache, TileLoader
from napari_her2.errors import MappingError
from napari_her2.events import Progress, StageDone
from napari_her2.geometry import Affine, Box

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.napari.conftest import InlineJobs

    from napari_her2.pipeline import CaseRequest


class Rig:
    """A controller with everything it needs, and what its session said."""

    def __init__(self, jobs: InlineJobs) -> None:
        self.viewer, self.session, self.jobs = ViewerModel(), Session(), jobs
        loader = TileLoader(TileCache(64 << 20))
        canvas = CaseCanvas(self.viewer, lambda source: TilePyramid(source, loader, live=True))
        self.control = ScoreController(self.session, canvas, jobs, loader, Preferences())
        self.canvas = canvas
        self.activities: list[str] = []
        self.session.events.activity.connect(self.activities.append)

    def open(self, *paths: Path) -> None:
        """Open slides or a case and wait."""
        self.control.open(paths)
        self.jobs.finish()

    @property
    def names(self) -> list[str]:
        """Names of the layers, lowest first."""
        return [layer.name for layer in self.viewer.layers]


@pytest.fixture
def rig(jobs: InlineJobs) -> Iterator[Rig]:
    """A controller that is closed at the end."""
    made = Rig(jobs)
    yield made
    made.control.close()


def fake_pipeline(
    monkeypatch: pytest.MonkeyPatch, case: Path, *, fail: Exception | None = None
) -> list[CaseRequest]:
    """Let the pipeline finish at once with a handmade case; return what it was asked."""
    asked: list[CaseRequest] = []

    def score_case(request: CaseRequest) -> Any:
        asked.append(request)
        yield Progress("tissue", 0, 2, "slides")
        yield StageDone("tissue", 0.5)
        if fail is not None:
            raise fail
        yield Progress("cells", 5, 10, "tiles")
        handmade.write_case(request.out, request.he, request.ihc)

    monkeypatch.setattr(pipeline, "score_case", score_case)
    return asked


def test_pair_is_told_apart_and_shown_side_by_side(rig: Rig, pair: tuple[Path, Path]) -> None:
    he, ihc = pair
    rig.open(ihc, he)
    assert rig.session.he.path == he  # type: ignore[union-attr]
    assert rig.session.ihc.path == ihc  # type: ignore[union-attr]
    assert rig.names == ["IHC  block_ihc.tif", "H&E  block_he.tif"]
    left, right = rig.canvas.layer("he").extent.world, rig.canvas.layer("ihc").extent.world  # type: ignore[union-attr]
    assert left[1, 1] < right[0, 1]
    assert rig.session.settings.case_folder == ihc.parent / "block_ihc-her2"
    assert rig.session.why_not is None
    assert rig.activities == ["opening", "idle"]


def test_layers_are_in_um_with_half_a_pixel(rig: Rig, pair: tuple[Path, Path]) -> None:
    rig.open(*pair)
    layer: Any = rig.canvas.layer("ihc")
    assert tuple(layer.scale) == (0.5, 0.5)
    assert tuple(layer.translate) == (0.25, 0.25)
    assert [str(unit) for unit in layer.units] == ["micrometer", "micrometer"]
    assert rig.viewer.canvas.overlays.scale_bar.visible


def test_swap(rig: Rig, pair: tuple[Path, Path]) -> None:
    rig.open(*pair)
    rig.control.swap()
    assert rig.session.ihc.path == pair[0]  # type: ignore[union-attr]
    assert rig.names == ["H&E  block_ihc.tif", "IHC  block_he.tif"]


def test_missing_pixel_size_is_asked_for(rig: Rig, without_size: Path) -> None:
    rig.open(without_size)
    assert "states no pixel size" in rig.session.why_not  # type: ignore[operator]
    rig.control.run()
    assert rig.session.message.kind == "warning"  # type: ignore[union-attr]
    rig.control.give_um_per_px("ihc", 500)
    assert rig.session.message.kind == "error"  # type: ignore[union-attr]
    rig.control.give_um_per_px("ihc", 0.4)
    layer: Any = rig.canvas.layer("ihc")
    assert tuple(layer.scale) == (0.4, 0.4)
    assert tuple(layer.translate) == (0.2, 0.2)
    assert rig.session.why_not is None


def test_bad_file_is_one_sentence_and_leaves_what_was_open(
    rig: Rig, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    rig.open(*pair)
    bad = tmp_path / "text.svs"
    bad.write_text("not a slide")
    rig.open(bad)
    message = rig.session.message
    assert message is not None
    assert message.kind == "error"
    assert "text.svs" in message.text
    assert str(tmp_path) not in message.text
    assert len(rig.viewer.layers) == 2
    assert rig.session.activity == "idle"


def test_run_hands_over_everything_and_shows_the_case(
    rig: Rig, pair: tuple[Path, Path], case: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = fake_pipeline(monkeypatch, case)
    rig.open(*pair)
    rig.control.change(case_folder=tmp_path / "new", rule="gastric-biopsy")
    rig.control.run()
    assert rig.session.activity == "running"
    rig.jobs.step()
    rig.jobs.step()
    assert rig.session.progress.finished[0].name == "tissue"
    rig.jobs.finish()
    (request,) = asked
    assert (request.he, request.ihc, request.out) == (*pair, tmp_path / "new")
    assert request.recipe.given() == {"rule": "gastric-biopsy"}
    assert rig.session.result.report.call.score == "3+"  # type: ignore[union-attr]
    assert rig.names[2:] == ["tumour heat map", "tumour area, H&E", "tumour area, IHC", "cells"]
    cells: Any = rig.canvas.layer("cells")
    assert len(cells.data) == 1000
    assert [str(unit) for unit in cells.units] == ["micrometer", "micrometer"]


def test_cancel_keeps_the_slides_and_says_what_next(
    rig: Rig, pair: tuple[Path, Path], case: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_pipeline(monkeypatch, case)
    rig.open(*pair)
    rig.control.change(case_folder=tmp_path / "new")
    rig.control.run()
    rig.jobs.step()
    rig.control.cancel()
    assert rig.session.activity == "idle", "the person goes on at once"
    rig.jobs.finish()
    assert "run again" in rig.session.message.text  # type: ignore[union-attr]
    assert rig.session.result is None
    assert len(rig.viewer.layers) == 2


@pytest.mark.parametrize("error", [MappingError("the slides do not fit: check them"), ValueError("odd")])
def test_errors_of_a_run_end_in_the_panel(
    rig: Rig,
    pair: tuple[Path, Path],
    case: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    fake_pipeline(monkeypatch, case, fail=error)
    rig.open(*pair)
    rig.control.change(case_folder=tmp_path / "new")
    rig.control.run()
    rig.jobs.finish()
    assert str(error) in rig.session.message.text  # type: ignore[union-attr]
    assert rig.session.message.kind == "error"  # type: ignore[union-attr]
    assert rig.session.activity == "idle"


def test_case_opens_with_its_slides(rig: Rig, case: Path) -> None:
    rig.open(case)
    assert rig.session.result.folder == case  # type: ignore[union-attr]
    assert rig.session.ihc.name == "block_ihc.tif"  # type: ignore[union-attr]
    assert len(rig.viewer.layers) == 6
    assert rig.session.message is None
    for key in ("outline_he", "heat"):
        np.testing.assert_allclose(rig.canvas.layer(key).affine, rig.canvas.layer("he").affine)  # type: ignore[union-attr]


def test_case_whose_slides_are_gone_still_shows_its_score(
    rig: Rig, tmp_path: Path, pair: tuple[Path, Path]
) -> None:
    folder = handmade.write_case(tmp_path / "elsewhere" / "deep" / "case", *pair, found=False)
    rig.open(folder)
    assert rig.session.result is not None
    assert "block_he.tif and block_ihc.tif not found" in rig.session.message.text  # type: ignore[union-attr]


def test_drawn_area_confirms_and_goes_to_the_pipeline(
    rig: Rig, pair: tuple[Path, Path], case: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_her2.exchange import read_areas

    asked = fake_pipeline(monkeypatch, case)
    rig.open(*pair)
    rig.control.change(case_folder=tmp_path / "new")
    rig.control.tumour.draw()
    layer: Any = rig.canvas.drawing()
    layer.add_polygons(np.array([(100, 200), (100, 400), (300, 400)]))
    he: Any = rig.canvas.layer("he")
    on_he = np.array([(100.0, 150.0), (100.0, 250.0), (200.0, 250.0)])
    layer.add_polygons(Affine.from_matrix(np.asarray(he.affine))(on_he))
    rig.control.run()
    rig.jobs.finish()
    assert rig.session.tumour.rings == 2
    ihc_area, he_area = read_areas(asked[0].recipe.roi)  # type: ignore[arg-type]
    assert (ihc_area.slide, he_area.slide) == ("ihc", "he")
    np.testing.assert_allclose(
        ihc_area.outline, np.array([(100, 200), (100, 400), (300, 400)]) / 0.5, atol=0.01
    )
    np.testing.assert_allclose(he_area.outline, on_he / 0.5, atol=0.01)


def test_an_area_is_logged_kept_and_forgotten_only_when_cleared(
    rig: Rig, pair: tuple[Path, Path], case: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_her2.review import ReviewLog

    asked = fake_pipeline(monkeypatch, case)
    rig.open(*pair)
    rig.control.change(case_folder=tmp_path / "new", corrections=False)
    rig.control.tumour.draw()
    rig.canvas.drawing().add_polygons(np.array([(100, 200), (100, 400), (300, 400)]))  # type: ignore[union-attr]
    for _ in range(2):
        rig.control.run()
        rig.jobs.finish()
    said = ReviewLog(tmp_path / "new" / "review.jsonl").of("tumour_area")
    assert [entry["after"] for entry in said] == [{"areas": 1, "left_out": 0}], "told once, not by every run"
    assert (asked[-1].options.corrections, asked[-1].forget) == (False, ())
    rig.control.change(corrections=True)
    rig.control.tumour.clear()
    rig.control.run()
    rig.jobs.finish()
    assert (asked[-1].options.corrections, asked[-1].recipe.roi, asked[-1].forget) == (None, None, ("roi",))
    assert not rig.session.settings.forget_area, "the run that was asked to forget has done so"


def test_overlaid_puts_he_over_ihc_by_the_mapping(rig: Rig, case: Path) -> None:
    rig.open(case)
    view: Any = rig.session.result
    turned = Affine.rotation(90, centre=(300, 400))
    rig.canvas.show_result(_with(view, mapping=handmade.mapping(turned)))
    rig.control.arrange("over", 0.5)
    he, ihc = rig.canvas.layer("he"), rig.canvas.layer("ihc")
    np.testing.assert_allclose(np.asarray(he.affine), turned.matrix, atol=1e-9)  # type: ignore[union-attr]
    assert he.opacity == 0.5  # type: ignore[union-attr]
    assert rig.viewer.layers.index(he) == rig.viewer.layers.index(ihc) + 1
    rig.control.arrange("side")
    assert he.opacity == 1  # type: ignore[union-attr]
    assert he.extent.world[1, 1] < 0  # type: ignore[union-attr]


def _with(view: Any, **values: Any) -> Any:
    from dataclasses import replace

    return replace(view, **values)


def test_classes_can_be_switched_off(rig: Rig, case: Path) -> None:
    rig.open(case)
    rig.canvas.show_classes({3, 4})
    cells: Any = rig.canvas.layer("cells")
    assert cells.shown.sum() == 140


def test_close_leaves_the_viewer_as_it_was(jobs: InlineJobs, case: Path) -> None:
    rig = Rig(jobs)
    rig.viewer.add_points(np.zeros((1, 2)), name="mine")
    rig.open(case)
    rig.control.tumour.draw()
    rig.control.close()
    assert rig.names == ["mine"]
    assert not rig.viewer.canvas.overlays.scale_bar.visible


def test_close_keeps_what_a_person_drew(jobs: InlineJobs, pair: tuple[Path, Path]) -> None:
    rig = Rig(jobs)
    rig.open(*pair)
    rig.control.tumour.draw()
    rig.canvas.drawing().add_polygons(np.array([(0, 0), (0, 9), (9, 9)]))  # type: ignore[union-attr]
    rig.control.close()
    assert rig.names == ["tumour"]


def test_result_that_arrives_after_close_is_dropped(
    jobs: InlineJobs, pair: tuple[Path, Path], case: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(jobs)
    rig.control.open(pair)
    rig.control.close()
    jobs.stopped = False  # the answer was under way already
    jobs.finish()
    assert rig.names == []
    assert rig.session.he is None


def test_closed_slides_are_released(jobs: InlineJobs, pair: tuple[Path, Path]) -> None:
    rig = Rig(jobs)
    rig.open(*pair)
    pyramids = [rig.session.he.pyramid, rig.session.ihc.pyramid]  # type: ignore[union-attr]
    rig.control.close_slide("he")
    assert pyramids[0].closed
    assert rig.session.he is None
    rig.control.close()
    assert pyramids[1].closed
    assert all(pyramid.source.slide.closed for pyramid in pyramids)  # type: ignore[attr-defined]


def test_answer_of_a_job_that_was_let_go_is_not_heard(rig: Rig, pair: tuple[Path, Path]) -> None:
    rig.control.open(pair)
    rig.control.cancel()
    rig.jobs.stopped = False  # it did not notice in time
    rig.jobs.finish()
    assert rig.names == []
    assert rig.session.ihc is None
    assert rig.session.activity == "idle"


def test_second_wish_while_busy_is_refused(rig: Rig, pair: tuple[Path, Path]) -> None:
    rig.control.open(pair)
    rig.control.open(pair)
    assert "cancel it first" in rig.session.message.text  # type: ignore[union-attr]
    rig.jobs.finish()


def test_a_click_on_glass_sets_the_white_and_it_can_be_taken_back(
    rig: Rig, pair: tuple[Path, Path], case: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = fake_pipeline(monkeypatch, case)
    rig.open(*pair)
    rig.control.change(case_folder=tmp_path / "new")
    pipette, slide = rig.control.pipette, rig.session.ihc
    source: Any = slide.pyramid.source  # type: ignore[union-attr]
    pipette.switch("ihc", on=True)
    assert rig.session.picking_white == "ihc"
    pipette.pick("ihc", (3.0, 3.0))
    picked = tuple(np.median(source.slide.read(Box(0, 0, 31, 31)).reshape(-1, 3), axis=0))
    assert source.slide.white == rig.session.ihc.white == picked  # type: ignore[union-attr]
    assert rig.session.picking_white is None
    rig.control.run()
    rig.jobs.finish()
    assert asked[-1].recipe.white_ihc == picked
    pipette.switch("ihc", on=False)
    assert source.slide.background.origin == "glass"
    rig.control.run()
    rig.jobs.finish()
    assert asked[-1].recipe.white_ihc is None
    assert asked[-1].forget == ("white_ihc",)


def test_a_dark_place_is_no_white(rig: Rig, pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    rig.open(*pair)
    source: Any = rig.session.ihc.pyramid.source  # type: ignore[union-attr]
    monkeypatch.setattr(source.slide, "read", lambda box: np.full((box.height, box.width, 3), 60, np.uint8))
    rig.control.pipette.switch("ihc", on=True)
    rig.control.pipette.pick("ihc", (3.0, 3.0))
    assert rig.session.message.kind == "error"  # type: ignore[union-attr]
    assert rig.session.ihc.white is None  # type: ignore[union-attr]
