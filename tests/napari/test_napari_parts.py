"""What is in view, and models that run where a person looks; no window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.components import ViewerModel
from tests.napari import handmade

from napari_her2._napari.analysis import PARTS, CellsFound, Painted, PartRequest, run_part, values_of
from napari_her2._napari.canvas import CaseCanvas
from napari_her2._napari.controller import ScoreController
from napari_her2._napari.parts import PartControl
from napari_her2._napari.preferences import Preferences
from napari_her2._napari.pyramid import TilePyramid
from napari_her2._napari.session import Session
from napari_her2._napari.tiles import TileCache, TileLoader
from napari_her2._napari.viewing import magnification, visible_box, visible_um, zoom_of
from napari_her2.geometry import Affine, Box
from napari_her2.slides import open_slide

if TYPE_CHECKING:
    from pathlib import Path

    from tests.napari.conftest import InlineJobs


def test_what_is_in_view_follows_camera_and_canvas() -> None:
    viewer = ViewerModel()
    viewer.canvas.size = (400, 800)
    viewer.scene.camera.center = (0, 1000, 2000)
    viewer.scene.camera.zoom = 2.0
    corners = visible_um(viewer)
    np.testing.assert_allclose(corners, [(900, 1800), (900, 2200), (1100, 2200), (1100, 1800)])
    box = visible_box(corners, Affine.identity(), 0.5, (10_000, 10_000))
    assert box == Box(1800, 3600, 400, 800)
    assert visible_box(corners, Affine.translation(-900, 0), 0.5, (10_000, 10_000)) == Box(
        3600, 3600, 400, 800
    )
    turned = visible_box(corners, Affine.rotation(90, centre=(1000, 2000)), 0.5, (10_000, 10_000))
    assert turned is not None
    np.testing.assert_allclose((turned.height, turned.width), (800, 400), atol=1)
    assert visible_box(corners, Affine.identity(), 0.5, (100, 100)) is None


@pytest.mark.parametrize("wanted", [2.5, 5, 10, 20, 40])
def test_magnification_is_that_of_the_scanners(wanted: float) -> None:
    assert magnification(zoom_of(wanted)) == pytest.approx(wanted)
    assert 1 / zoom_of(40) == pytest.approx(0.25), "at 40x a pixel of the screen is 0.25 um wide"


def test_values_that_are_painted() -> None:
    two = np.array([(0.8, 0.2), (0.1, 0.9)], np.float32)
    np.testing.assert_array_equal(values_of("classify", two), [51, 230])
    four = np.eye(4, dtype=np.float32)
    np.testing.assert_array_equal(values_of("ordinal", four), [1, 2, 3, 4])
    pixels = np.zeros((1, 5, 2, 2), np.float32)
    pixels[0, 4, 0, 0] = pixels[0, 0, 0, 1] = pixels[0, 1, 1] = 1
    np.testing.assert_array_equal(values_of("segment", pixels)[0], [(4, 0), (1, 1)])


class Rig:
    """One row on a pair of slides."""

    def __init__(self, jobs: InlineJobs, pair: tuple[Path, Path], letter: Any) -> None:
        self.viewer, self.session, self.jobs = ViewerModel(), Session(), jobs
        loader = TileLoader(TileCache(64 << 20))
        canvas = CaseCanvas(self.viewer, lambda source: TilePyramid(source, loader, live=True))
        self.control = ScoreController(self.session, canvas, jobs, loader, Preferences())
        self.control.open(pair)
        jobs.finish()
        self.canvas = canvas
        self.row = PartControl(letter, self.control, jobs)
        self.look((384.0, 512.0))

    def look(self, centre: tuple[float, float], size: tuple[int, int] = (240, 240)) -> None:
        """Look at a place with a pixel per µm."""
        self.viewer.canvas.size = size
        self.canvas.go(centre, 1.0)

    def close(self) -> None:
        """Leave nothing behind."""
        self.row.close()
        self.control.close()


def test_model_runs_in_view_stops_and_goes_on_and_says_what_the_command_says(
    jobs: InlineJobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_her2 import inference
    from napari_her2.events import drain
    from napari_her2.inference import PlanWishes
    from napari_her2.pipeline import PredictRequest, predict_slide
    from napari_her2.store import read_multiscale

    fine = (
        handmade.write_slide(tmp_path / "fine_he.tif", handmade.picture("he"), 0.25),
        handmade.write_slide(tmp_path / "fine_ihc.tif", handmade.picture("ihc", seed=2), 0.25),
    )
    loads, load = [], inference.load_planned
    monkeypatch.setattr(inference, "load_planned", lambda *what: loads.append(what) or load(*what))
    rig = Rig(jobs, fine, "L")
    try:
        rig.look((192.0, 256.0), (100, 100))
        rig.row.start("view")
        assert rig.row.state.busy
        jobs.finish()
        assert not rig.row.state.busy, rig.row.state.words
        layer: Any = rig.canvas.layer("part_L")
        region = rig.row.region("view")
        assert region is not None
        drain(
            predict_slide(
                PredictRequest(
                    slide=fine[1],
                    model="stain-tiny",
                    out=tmp_path / "out",
                    device="cpu",
                    wishes=PlanWishes(region=region, overlap=0.0, least_tissue=0.0),
                )
            )
        )
        wanted = np.asarray(read_multiscale(tmp_path / "out" / "rasters" / "label.zarr").levels[0][...])
        np.testing.assert_array_equal(layer.data, wanted)
        seen = int((layer.data > 0).sum())
        assert 0 < seen < layer.data.size
        rig.look((260.0, 380.0), (200, 200))
        rig.row.start("view")
        for _ in range(3):
            jobs.step()
        rig.row.cancel()
        jobs.finish()
        assert "go on" in rig.row.state.words
        before = int((rig.canvas.layer("part_L").data > 0).sum())  # type: ignore[union-attr]
        assert seen < before < layer.data.size
        rig.row.start("view")
        jobs.finish()
        total = rig.row.state.progress
        assert (rig.canvas.layer("part_L").data > 0).sum() >= before  # type: ignore[union-attr]
        assert total.done == total.total
        assert len(loads) == 1, "the second and third run begin at once"
    finally:
        rig.close()
    assert "Stain classes (L)" not in [layer.name for layer in rig.viewer.layers]


def test_rows_that_cannot_run_say_why(jobs: InlineJobs, pair: tuple[Path, Path]) -> None:
    rig = Rig(jobs, (pair[1], pair[1]), "C")
    try:
        rig.control.close_slide("he")
        assert "H&E" in rig.row.why_not("view")
        rig.row.part = PARTS["L"]
        assert "shape" in rig.row.why_not("shape")
        rig.look((1e6, 1e6))
        assert "not in view" in rig.row.why_not("view")
        assert rig.row.why_not("slide") == ""
        rig.canvas.draw_tumour()
        rig.canvas.drawing().add_polygons(np.array([(100, 200), (100, 300), (180, 300)]))  # type: ignore[union-attr]
        assert rig.row.region("shape") == Box(200, 400, 160, 200)
    finally:
        rig.close()


def test_hidden_he_is_looked_at_through_the_mapping(jobs: InlineJobs, pair: tuple[Path, Path]) -> None:
    from napari_her2._napari.preparing import Prepared

    rig = Rig(jobs, pair, "C")
    try:
        rig.session.prepared = Prepared(mapping=handmade.mapping(Affine.translation(100, 50)))
        rig.canvas.set_linked(True)
        assert rig.row.region("view") == Box(328, 684, 480, 480)
    finally:
        rig.close()


def test_cells_come_in_blocks_each_cell_once(pair: tuple[Path, Path]) -> None:
    with open_slide(pair[1]) as slide:
        region = Box(400, 500, 900, 1000)
        request = PartRequest(part=PARTS["cells"], slide=slide, region=region, view=Box(400, 1400, 100, 100))
        found = [event.table for event in run_part(request) if isinstance(event, CellsFound)]
    assert len(found) == 4
    points = np.vstack([table.points_px for table in found])
    assert len(points) > 50
    assert len(np.unique(points, axis=0)) == len(points)
    inside = (points >= (400, 500)) & (points < (1300, 1500))
    assert inside.all()
    assert found[0].col_px.mean() > found[-1].col_px.mean(), "what is in view comes first"


def test_bare_glass_in_a_region_is_given_no_class(tmp_path: Path) -> None:
    path = handmade.write_slide(tmp_path / "s.tif", handmade.picture("ihc"), 0.25)
    with open_slide(path) as slide:
        corner = PartRequest(part=PARTS["L"], slide=slide, region=Box.of_shape(slide.shape), device="cpu")
        cells = np.vstack([event.cells for event in run_part(corner) if isinstance(event, Painted)])
        glass = PartRequest(part=PARTS["L"], slide=slide, region=Box(0, 0, 60, 60), device="cpu")
        asked = [event for event in run_part(glass) if isinstance(event, Painted)]
    assert (0, 0) not in map(tuple, cells.tolist())
    assert len(cells) > 20
    assert len(asked) == 1, "where all of it looks bare, the person's wish counts"


@pytest.mark.parametrize("letter", ["C", "L", "M"])
def test_a_window_paints_what_a_run_without_one_answers(letter: str, tmp_path: Path) -> None:
    """Another order, other threads, and a region out of the middle: the same values to the last one."""
    from napari_her2.inference import BatchDone, PlanWishes, pick_device, resolve, run
    from napari_her2.pipeline.engine import choose_model

    part = PARTS[letter]
    path = handmade.write_slide(tmp_path / "s.tif", handmade.picture(part.role), 0.25)
    entry = choose_model(str(part.setting), None)
    with open_slide(path) as slide:
        region = Box(300, 420, 600, 700)
        request = PartRequest(part=part, slide=slide, region=region, view=Box(700, 900, 50, 50), device="cpu")
        painted = [event for event in run_part(request) if isinstance(event, Painted)]
        shown = {
            tuple(c): v for event in painted for c, v in zip(event.cells.tolist(), event.pixels, strict=True)
        }
        plan = resolve(PlanWishes(region=region, overlap=0.0), slide, entry.spec, pick_device("cpu"))
        answered = {}
        for event in run(plan, slide=slide):
            if isinstance(event, BatchDone):
                values = values_of(entry.spec.task, event.probabilities)
                answered |= {tuple(c): v for c, v in zip(event.cells.tolist(), values, strict=True)}
    assert shown.keys() == answered.keys()
    assert letter == "L" or len({value.tobytes() for value in answered.values()}) > 1
    for cell, values in answered.items():
        side = len(shown[cell])
        at = ((np.arange(side) + 0.5) / side * np.atleast_2d(values).shape[-1]).astype(int)
        np.testing.assert_array_equal(
            shown[cell], np.atleast_2d(values)[..., at, :][..., at] if side > 1 else values
        )


def test_scoring_from_a_window_leaves_it_a_core(jobs: InlineJobs, pair: tuple[Path, Path]) -> None:
    rig = Rig(jobs, pair, "L")
    try:
        run = rig.control._case_run()
        assert run is not None
        assert run.request().spare_cores == 1
    finally:
        rig.close()
