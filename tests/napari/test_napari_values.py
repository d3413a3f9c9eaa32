"""Words, places, progress and drawings: everything of the window that needs neither Qt nor napari."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.napari import handmade

from napari_her2._napari.case_view import cells_view, load_case
from napari_her2._napari.opening import assign, default_case_folder, with_um_per_px
from napari_her2._napari.placing import he_place
from napari_her2._napari.progress import RunProgress, advance, duration
from napari_her2._napari.roi import Ring, rings_of, write_rings
from napari_her2._napari.score_view import EXCLUDED_WORDS, FLAG_WORDS, path_words, sampled, score_view
from napari_her2._napari.session import OpenSlide
from napari_her2.case.report import PathStep
from napari_her2.errors import CaseError, UsageError
from napari_her2.events import Notice, Progress, StageDone, drain
from napari_her2.geometry import Affine
from napari_her2.vocabulary import EXCLUDED_REASONS, FLAGS

if TYPE_CHECKING:
    from napari_her2._napari.pyramid import TilePyramid

PATHS = [
    ("complete, intense membrane staining in more than 10 % of tumour cells", 12.4, 10, True,
     "complete, intense membrane staining 12.4 % > 10 %"),
    ("complete, intense membrane staining in more than 10 % of tumour cells", 9.96, 10, False,
     "complete, intense membrane staining 9.96 % ≤ 10 %"),
    ("complete, intense membrane staining in more than 10 % of tumour cells", 10.0, 10, False,
     "complete, intense membrane staining 10 % ≤ 10 %"),
    ("any membrane staining in 10 % or fewer, but at least 1 % and 10 tumour cells", 3.0, 1.25, True,
     "any membrane staining 3 % ≥ 1.25 %"),
    ("complete, intense staining in a cluster of at least 5 cells", 4, 5, False,
     "complete, intense staining 4 cells < 5 cells"),
    ("pixels with a side of more than 0.6 µm, too coarse to tell 0 from 1+", 0.8, 0.6, True,
     "pixels with a side 0.8 µm > 0.6 µm"),
]  # fmt: skip


@pytest.mark.parametrize(("test", "value", "threshold", "holds", "words"), PATHS)
def test_path_reads_like_a_sum(test: str, value: float, threshold: float, holds: bool, words: str) -> None:
    assert path_words(PathStep(test=test, value=value, threshold=threshold, holds=holds)) == words


def test_score_in_words() -> None:
    view = score_view(handmade.report())
    assert view.call == "3+"
    assert view.heading == "Provisional: tumour area not confirmed"
    assert view.status == "HER2 positive"
    assert view.path[-1].answer == "→ 3+"
    assert [bar.name for bar in view.bars] == ["3+", "2+", "unusual", "1+", "0"]
    assert view.bars[0].low < 12.4 < view.bars[0].high
    assert view.alternatives[0] == ("3+", 0.93)
    assert "proposal" in view.flags[0]
    left_out = "129 (120 at the edge of the tumour area, 9 in artefacts)"
    assert dict(view.facts)["Cells left out"] == left_out
    assert dict(view.facts)["H-score"] == "103 of 300"
    assert dict(view.facts)["H&E to IHC"] == "affine, error 6 µm (90 %: 15 µm)"
    assert view.disclaimer == "For research use only; not for diagnosis."


def test_what_stands_beside_the_call() -> None:
    alone = dict(score_view(handmade.report()).others)
    assert alone["Tumour area"].replace("\u00a0", " ") == "3+ 15 %, 2+ 20 %, 1+ 25 %, 0 40 %"
    assert "No second scorer" in alone["Second scorers"]
    values = handmade.report().to_dict()
    values["paper"] = {"score": "3+", "coverage": {"3+": 15}, "n_patches": 1234}
    values["agreement"] = {
        "cells-patches": {"scores": {"cells": "2+", "patches": "3+"}, "fraction_agreeing": 0.614},
        "cells-pixels": {"scores": {"cells": "2+", "pixels": None}, "fraction_agreeing": None},
    }
    beside = dict(score_view(type(handmade.report()).model_validate(values)).others)
    assert beside["Paper's rule"] == "3+ (strongest of 1,234 patches)"
    assert beside["Cells, patches"] == "2+ and 3+: differ; same class on 61 % of the area"
    assert beside["Cells, pixels"] == "2+ and not scorable: differ; no area in common"
    assert "Scorers" not in beside


def test_confirmed_area_is_not_provisional() -> None:
    assert score_view(handmade.report(flags=[])).heading == "Score of the program"


def test_case_without_a_score_says_so() -> None:
    report = handmade.report(
        score=None, category="not_scorable", path=[], alternatives={}, reason="Too few cells."
    )
    view = score_view(report)
    assert view.call == "Not scorable"
    assert view.reason == "Too few cells."
    assert view.path == ()


def test_every_flag_of_the_contract_has_words() -> None:
    assert set(FLAGS) <= set(FLAG_WORDS)


def test_every_reason_to_leave_a_cell_out_has_words() -> None:
    assert set(EXCLUDED_REASONS) - {""} == set(EXCLUDED_WORDS)


def test_progress_tells_stage_rate_and_time_left() -> None:
    state = RunProgress()
    state = advance(state, Progress("tissue he", 1, 2, "slides"), 0.0)
    state = advance(state, StageDone("tissue_he", 1.25), 1.0)
    state = advance(state, Progress("cells", 0, 100, "tiles"), 2.0)
    state = advance(state, Progress("cells", 20, 100, "tiles"), 6.0)
    state = advance(state, Notice("A sentence."), 6.0)
    assert state.headline == "Measuring cells"
    assert state.fraction == 0.2
    assert state.rate == pytest.approx(5)
    assert state.seconds_left == pytest.approx(16)
    assert state.detail == "20 of 100 tiles  ·  5 tiles/s  ·  16 s left"
    assert [stage.text for stage in state.finished] == ["Finding tissue on the H&E  ·  1.2 s"]
    assert state.notices == ("A sentence.",)
    again = advance(state, StageDone("cells", 0.0, reused=True), 7.0)
    assert again.finished[-1].text == "Measuring cells  ·  kept from before"
    assert again.fraction is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.04, "0.0 s"), (3.21, "3.2 s"), (12.4, "12 s"), (200, "3 min 20 s"), (7260, "2 h 01 min")],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


sizes = st.tuples(st.floats(100, 1e5), st.floats(100, 1e5))


@given(he=sizes, ihc=sizes, degrees=st.floats(-180, 180), mirrored=st.booleans())
def test_side_by_side_never_overlaps_and_is_level(
    he: tuple[float, float], ihc: tuple[float, float], degrees: float, mirrored: bool
) -> None:
    mapping = Affine.rotation(degrees) @ Affine.of([[1, 0], [0, -1 if mirrored else 1]], (30, 40))
    place = he_place("side", he, ihc, mapping)
    corners = place([(0, 0), (0, he[1]), (he[0], 0), he])
    assert corners[:, 1].max() < 0
    middle = (corners[:, 0].min() + corners[:, 0].max()) / 2
    assert middle == pytest.approx(ihc[0] / 2, abs=1e-6 * max(he + ihc))
    np.testing.assert_allclose(place.linear, mapping.linear)


def test_overlaid_is_the_mapping() -> None:
    mapping = Affine.rotation(12)
    assert he_place("over", (10, 10), (20, 20), mapping) is mapping


def open_slide_of(name: str, stain: str, pyramid: TilePyramid | None = None) -> OpenSlide:
    """Return a slide without pixels."""
    return OpenSlide(
        path=Path(name),
        name=name,
        shape=(10, 10),
        stated_um_per_px=None,
        stain=stain,
        pyramid=pyramid,  # type: ignore[arg-type]
    )


ASSIGN = [
    (("he", "ihc"), (0, 1)),
    (("ihc", "he"), (1, 0)),
    (("unknown", "he"), (1, 0)),
    (("ihc", "unknown"), (1, 0)),
    (("unknown", "unknown"), (0, 1)),
    (("he", "he"), (0, 1)),
    (("he",), (0, None)),
    (("ihc",), (None, 0)),
    (("unknown",), (None, 0)),
]


@pytest.mark.parametrize(("stains", "expected"), ASSIGN)
def test_stains_tell_which_slide_is_which(stains: tuple[str, ...], expected: tuple[int | None, ...]) -> None:
    slides = [open_slide_of(f"{at}.svs", stain) for at, stain in enumerate(stains)]
    wanted = tuple(None if at is None else slides[at] for at in expected)
    assert assign(slides) == wanted


def test_three_slides_are_refused() -> None:
    with pytest.raises(UsageError, match="one H&E and one IHC"):
        assign([open_slide_of("a", "he")] * 3)


@pytest.mark.parametrize("um", [0.0, 0.01, 101.0])
def test_nonsense_pixel_sizes_are_refused(um: float) -> None:
    with pytest.raises(UsageError, match=r"0\.02 to 100"):
        with_um_per_px(open_slide_of("a", "ihc"), um)


def test_case_folder_lies_beside_the_slide() -> None:
    assert default_case_folder(Path("/a/b/S12 HER2.ome.tif")) == Path("/a/b/S12 HER2-her2")
    assert default_case_folder(Path("/a/b/S12.svs"), "/c") == Path("/c/S12-her2")


def test_of_many_cells_an_even_sample_is_drawn() -> None:
    view = cells_view(handmade.cells(), handmade.UM, limit=300)
    assert view.total == 1000
    assert 200 < len(view.points_um) <= 300
    whole = cells_view(handmade.cells(), handmade.UM, limit=5000)
    assert len(whole.points_um) == 1000
    first = handmade.cells()
    np.testing.assert_allclose(whole.points_um[0], (first.row_px[0] / 2, first.col_px[0] / 2))
    assert set(whole.features) == {"class", "completeness", "intensity_od", "width_um"}


def test_case_is_read_for_the_window(case: Path, pair: tuple[Path, Path]) -> None:
    view = drain(load_case(case))
    assert view.report.call.score == "3+"
    assert view.slide("he").path == pair[0]  # type: ignore[union-attr]
    assert len(view.cells.points_um) == 1000
    assert set(view.outlines) == {"he", "ihc"}
    (ring,) = view.outlines["ihc"]
    np.testing.assert_allclose(ring.mean(axis=0), np.array(handmade.SHAPE) * handmade.UM / 2, atol=0.1)
    assert view.tumour is not None
    assert view.tumour_role == "he"


def test_folder_that_is_no_case_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match="not a finished case"):
        drain(load_case(tmp_path))


class FakeShapes:
    """What the rings need of a Shapes layer: data, kinds, and a place in the world."""

    def __init__(self, *shapes: tuple[str, Any]) -> None:
        self.shape_type = [kind for kind, _ in shapes]
        self.data = [np.asarray(points, float) for _, points in shapes]
        self.features = {"class": ["Tumor", "Tumor", "Necrosis"][: len(shapes)]}

    def data_to_world(self, point: Any) -> Any:
        """Shift by (100, 200)."""
        return np.add(point, (100, 200))


def test_drawn_shapes_become_rings() -> None:
    square = [(0, 0), (0, 10), (10, 10), (10, 0)]
    rings = rings_of(FakeShapes(("polygon", square), ("line", square[:2]), ("ellipse", square)))
    assert len(rings) == 2
    np.testing.assert_allclose(rings[0][0], np.add(square, (100, 200)))
    np.testing.assert_allclose(np.hypot(*(rings[1][0] - (105, 205)).T), 5)
    assert [name for _, name in rings] == ["Tumor", "Necrosis"]


def test_rings_are_written_for_pipeline_and_qupath(tmp_path: Path) -> None:
    from napari_her2.exchange import read_areas

    ring = np.array([(10.0, 20.0), (10.0, 60.0), (40.0, 60.0)])
    write_rings(tmp_path / "roi.geojson", [Ring("ihc", ring), Ring("he", ring)], {"ihc": 0.5, "he": 0.25})
    ihc, he = read_areas(tmp_path / "roi.geojson")
    assert (ihc.slide, he.slide, ihc.name) == ("ihc", "he", "Tumor")
    np.testing.assert_allclose(ihc.outline, ring / 0.5)
    np.testing.assert_allclose(he.outline, ring / 0.25)


def test_import_needs_neither_torch_nor_qt() -> None:
    modules = (
        "canvas case_view commands controller demo_view disagreement layers opening overlays preparing "
        "progress pyramid reader roi running sample score_view session static steps tiles tumour worklist"
    )
    code = (
        "import sys\n"
        + "".join(f"import napari_her2._napari.{name}\n" for name in modules.split())
        + "bad = [m for m in ('torch', 'qtpy', 'napari', 'skimage', 'zarr') if m in sys.modules]\n"
        "sys.exit(' '.join(bad) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("state", "shown"), [("agree", True), ("not_checked", True), ("disagree", False)])
def test_where_scorers_disagree_the_probabilities_of_sampling_are_hidden(state: str, shown: bool) -> None:
    scorers = [{"name": "cells", "score": "2+"}, {"name": "patches", "score": "3+", "share": 0.25}]
    report = handmade.report(agreement={"state": state, "scorers": scorers})
    view = score_view(report)
    assert bool(view.alternatives) == shown
    assert report.call.alternatives, "the field stays"
    assert dict(view.others)["Patches say"].startswith("3+; 25%")


def test_sampling_is_never_called_certain() -> None:
    assert [sampled(share) for share in (1.0, 0.996, 0.99, 0.4)] == ["> 99%", "> 99%", "99%", "40%"]
