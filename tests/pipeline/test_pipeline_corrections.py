"""What people corrected goes into the numbers of the next run, is told, and is never overwritten."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.pipeline.said import READER, draw, paint
from tests.pipeline.test_pipeline_case import copied, request, scored, timeless
from tests.pipeline.test_pipeline_gate import SIDE, UM, half_tumour, mask, reasons, row_of_cells, shifted

from napari_her2.annotation import KINDS, EditableMask, MaskFacts, sampled
from napari_her2.case import CaseFiles, read_case
from napari_her2.events import drain
from napari_her2.pipeline import rerun_case, score_case
from napari_her2.pipeline.correcting import corrected_areas
from napari_her2.pipeline.corrections import ARTEFACT, IN_SITU, OUT, TUMOUR, UNSAID, Corrections
from napari_her2.pipeline.gate import Gate, apply_gate
from napari_her2.review import ReviewLog, cell_entry
from napari_her2.store import read_multiscale, sha256_of, write_multiscale

if TYPE_CHECKING:
    from pathlib import Path

SHAPE = (SIDE, SIDE)


def said(case: Path, **hashes: str) -> Corrections:
    return Corrections.read(CaseFiles(case), hashes or {"ihc": "a", "he": "b"})


def on_slide(case: Path, name: str, label: str, *place: float) -> None:
    paint(case, name, label, place, shape=SHAPE, um_per_px=UM)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def case(pair: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a finished case; not to be changed."""
    out = tmp_path_factory.mktemp("corrected") / "case"
    drain(score_case(request(pair, out)))
    return out


def test_words_are_read_where_they_were_painted_and_drawn(tmp_path: Path) -> None:
    draw(tmp_path, "ihc", "Tumor", (0, 0, 800, 800))
    draw(tmp_path, "ihc", "Necrosis", (0, 0, 100, 100))
    draw(tmp_path, "ihc", "HER2 3+", (0, 0, 50, 50))  # for training: says nothing of where cells count
    on_slide(tmp_path, "ihc_tumour", "not tumour", 500, 500, 100, 100)
    on_slide(tmp_path, "ihc_tumour", "in situ", 700, 10, 50, 50)
    on_slide(tmp_path, "ihc_exclusions", "fold", 520, 520, 20, 20)
    points = np.array([(30, 30), (200, 200), (510, 510), (530, 530), (30, 720), (799, 799), (900, 900)]) + 0.5
    words = said(tmp_path).words_at("ihc", points)
    assert words.tolist() == [ARTEFACT, TUMOUR, OUT, ARTEFACT, IN_SITU, TUMOUR, UNSAID]
    assert not said(tmp_path).words_at("he", points).any()
    raster = said(tmp_path).raster("ihc", (100, 100), 8.0)
    assert raster is not None
    assert raster[64, 64] == OUT
    assert said(tmp_path).raster("he", (100, 100), 8.0) is None


def test_the_key_follows_what_holds_and_not_how_it_came_about(tmp_path: Path) -> None:
    assert not said(tmp_path)
    assert said(tmp_path).key == ""
    on_slide(tmp_path, "ihc_exclusions", "fold", 10, 10, 20, 20)
    first = said(tmp_path)
    assert first
    log = ReviewLog(tmp_path / "review.jsonl", READER)
    log.append({"act": "field", "field": [0, 0, 1, 1], "after": "accepted"})
    assert said(tmp_path).key == first.key
    facts = MaskFacts(kind=KINDS["exclusions"], slide="ihc", shape=SHAPE, um_per_px=UM)
    again = EditableMask(tmp_path / "edits" / "ihc_exclusions", facts, log)
    again.undo()
    assert not said(tmp_path), "what was taken back is no correction"
    again.redo()
    again.close()
    assert said(tmp_path).key == first.key
    log.append(cell_entry([(5.0, 5.0)], "3+", ["2+"]))
    both = said(tmp_path)
    assert (both.key == first.key, both.where == first.where) == (False, True)


def test_a_mask_of_another_slide_is_not_used_and_told(tmp_path: Path) -> None:
    paint(tmp_path, "ihc_tumour", "tumour", (0, 0, 9, 9), shape=SHAPE, um_per_px=UM, sha256="other")
    found = said(tmp_path)
    assert not found
    assert "another slide" in found.notes[0]


def test_the_person_s_word_goes_before_the_carried_area(tmp_path: Path) -> None:
    on_slide(tmp_path, "ihc_tumour", "tumour", 600, 390, 100, 20)  # far outside of the area
    on_slide(tmp_path, "ihc_tumour", "not tumour", 100, 390, 100, 20)  # well inside
    on_slide(tmp_path, "ihc_tumour", "tumour", 480, 390, 40, 20)  # on the unsure edge
    draw(tmp_path, "he", "In situ", (200, 0, 50, 800))  # carried by 100 px to 300 to 350
    gate = Gate.of(mask("patient"), None, half_tumour(), shifted(100.0, 15.0), said(tmp_path))
    judged = apply_gate(row_of_cells(), gate)
    for x, reason, counts in zip(judged.col_px, reasons(judged), judged.evaluable, strict=True):
        if 100 < x < 200:
            assert reason == "outside_roi"
        elif 300 < x < 350:
            assert reason == "in_situ"
        elif 600 < x < 700 or 480 < x < 520:
            assert (reason, counts) == ("", True)
        elif 470 < x < 530:
            assert reason == "unsure_gate"
        else:
            assert counts == (x < 500)
    inside, wanted = gate.inside()[50], gate.wanted()[50]
    assert inside[[80, 62, 30, 40]].tolist() == [True, True, True, False]
    assert wanted[80]
    assert not gate.unsaid.inside()[50, 80]
    before = apply_gate(row_of_cells(), Gate.of(mask("patient"), None, half_tumour(), shifted(100.0, 15.0)))
    np.testing.assert_array_equal(apply_gate(row_of_cells(), gate.unsaid).excluded, before.excluded)


def test_what_is_painted_on_the_he_moves_the_area_with_its_margin(tmp_path: Path) -> None:
    on_slide(tmp_path, "he_tumour", "not tumour", 200, 0, 600, 800)
    gate = Gate.of(mask("patient"), None, half_tumour(), shifted(0.0, 15.0), said(tmp_path))
    judged = apply_gate(row_of_cells(), gate)
    near = np.abs(judged.col_px - 200) < 28
    assert {reason for reason, edge in zip(reasons(judged), near, strict=True) if edge} == {"unsure_gate"}
    assert not judged.evaluable[judged.col_px > 232].any()
    assert judged.evaluable[judged.col_px < 168].all()
    assert gate.found is not None
    assert gate.found.region[0, 49], "the program's own word is kept apart"


def test_painted_classes_take_the_place_of_the_model_s_areas(tmp_path: Path) -> None:
    labels = np.zeros(SHAPE, np.uint8)
    labels[:, :400], labels[:, 600:] = 3, 255
    write_multiscale(tmp_path / "m.zarr", labels, um_per_px=UM)
    on_slide(tmp_path, "ihc_her2", "3+", 350, 0, 100, 100)  # half of it on 2+, half on nothing
    on_slide(tmp_path, "ihc_her2", "3+", 700, 0, 50, 50)  # where pixels do not count
    on_slide(tmp_path, "ihc_her2", "unsure", 0, 0, 10, 10)
    mm2 = UM**2 / 1e6
    before = {"0": 0.0, "1+": 0.0, "2+": 400 * 800 * mm2, "3+": 0.0}
    raster = read_multiscale(tmp_path / "m.zarr")
    assert sampled(raster, next(iter(said(tmp_path).masks["ihc_her2"].chunks)), UM).any()
    after = corrected_areas(said(tmp_path), raster, before, UM)
    assert after["3+"] == pytest.approx(10_000 * mm2)
    assert after["2+"] == pytest.approx((400 * 800 - 5_000 - 100) * mm2)
    assert corrected_areas(Corrections(), raster, before, UM) == before


def test_corrections_change_the_next_run_and_a_rerun_finds_the_same(
    case: Path, pair: Path, tmp_path: Path
) -> None:
    out = copied(case, tmp_path)
    bundle = read_case(out)
    before, ihc = bundle.report, bundle.slide("ihc")
    assert ihc is not None
    assert before.provenance.edits == ()
    cells = bundle.cells()
    counted = cells.select(cells.evaluable)
    assert len(counted) > 40
    middle = float(np.floor(np.median(counted.col_px)))
    size = sampled_shape(pair)
    facts: dict[str, Any] = {"shape": size, "um_per_px": ihc.um_per_px, "sha256": ihc.sha256}
    paint(out, "ihc_exclusions", "artefact", (middle, 0, size[1], size[0]), **facts)
    left = counted.select(counted.col_px < middle)
    painted = left.select(np.arange(10))
    for row, col in painted.points_px:
        paint(out, "ihc_her2", "3+", (col - 2, row - 2, 4, 4), **facts)
    judged = left.select(np.arange(20, 25))
    log = ReviewLog(out / "review.jsonl", "B. Second")
    log.append(cell_entry(judged.points_px, "exclude", ["2+"] * 5))
    log.append({"act": "sign", "time": "2026-01-02T03:04:05+00:00", "before": None, "after": "2+",
                "her2_status": "equivocal", "blind": True, "reason": ""})  # fmt: skip
    edits_before = sha256_of(out / "edits")

    after, _ = scored(request(pair, out))
    now = read_case(out)
    right = now.cells().select(now.cells().col_px >= middle)
    assert not right.evaluable.any()
    assert after.cells.evaluable == len(left) - 5
    assert after.cells.excluded["reader"] == 5
    assert after.cells.excluded["artefact"] >= len(counted) - len(left)
    assert after.percent["3+"] > before.percent["3+"]
    assert now.unjudged_cells().evaluable.sum() == len(left)
    told = {edit["what"]: edit for edit in after.provenance.edits}
    assert list(told) == ["ihc_exclusions", "ihc_her2", "cells"]
    assert told["ihc_exclusions"]["changed_cells"] >= len(counted) - len(left)
    assert [(one["who"], one["acts"]) for one in told["ihc_her2"]["by"]] == [(READER, 10)]
    assert told["ihc_her2"]["changed_cells"] == int((painted.class_code != 3).sum())
    assert (told["cells"]["cells"], told["cells"]["changed_cells"], told["cells"]["lost"]) == (5, 5, 0)
    assert told["cells"]["by"][0]["who"] == "B. Second"
    assert after.final is not None
    assert (after.final.score, after.reader.reader if after.reader else "") == ("2+", "B. Second")
    assert sha256_of(out / "edits") == edits_before, "a run writes nothing into the work of people"

    found = drain(rerun_case(now, tmp_path / "again"))
    assert found.same, found.differences
    assert not found.corrected_since
    log.append({"act": "undo-cells"})
    later = drain(rerun_case(now, tmp_path / "later"))
    assert later.corrected_since
    assert any(place.startswith("cells.evaluable") for place in later.differences)
    log.append(cell_entry(judged.points_px, "exclude", ["2+"] * 5))
    without, _ = scored(request(pair, tmp_path / "without", corrections=False))
    plain, _ = scored(request(pair, out, corrections=False))
    assert plain.percent == without.percent == before.percent
    assert plain.provenance.edits == ()
    back, _ = scored(request(pair, out))
    told = timeless(back)["provenance"].pop("edits")[-1]
    assert told["changed_cells"] == 5
    expected = timeless(after)
    del expected["provenance"]["edits"]
    found_again = timeless(back)
    del found_again["provenance"]["edits"]
    assert found_again == expected


def sampled_shape(pair: Path) -> tuple[int, int]:
    from napari_her2.slides import open_slide

    with open_slide(pair / "ihc.ome.tif") as slide:
        return slide.shape


def test_a_drawn_tumour_area_holds_until_it_is_forgotten(case: Path, pair: Path, tmp_path: Path) -> None:
    out, roi = copied(case, tmp_path), tmp_path / "mine.geojson"
    ring = [[200, 200], [1000, 200], [1000, 1100], [200, 1100], [200, 200]]
    roi.write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}))
    drawn, _ = scored(request(pair, out, roi=roi))
    roi.unlink()
    again, _ = scored(request(pair, out, rule="gastric-resection"))
    assert not again.provisional
    assert again.percent == drawn.percent
    assert again.provenance.settings["roi"] == {"value": "mine.geojson", "source": "case"}
    assert [edit["what"] for edit in again.provenance.edits] == ["tumour_area"]
    restarted, _ = scored(request(pair, out, restart=True))
    assert restarted.percent == drawn.percent, "to start over is not to forget what a person drew"
    without, _ = scored(request(pair, out, corrections=False))
    assert without.provisional
    assert (out / "inputs" / "mine.geojson").is_file()
    wanted = request(pair, out)
    forgotten, _ = scored(replace(wanted, forget=("roi",)))
    assert forgotten.provisional
    assert not (out / "inputs" / "mine.geojson").exists()
    shutil.rmtree(out)
