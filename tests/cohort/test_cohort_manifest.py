"""The manifest: what it means, and that its faults are told with their line."""

from __future__ import annotations

import pytest

from napari_her2.cohort import CohortCase, read_manifest
from napari_her2.errors import CaseError
from napari_her2.pipeline import Wishes

HEAD = "case,he,ihc"


def written(folder, *lines, head=HEAD):
    path = folder / "list.csv"
    path.write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")
    return path


def test_a_line_becomes_a_case(tmp_path):
    path = written(
        tmp_path,
        'B 12,slides/b12-he.svs,slides/b12.svs,0.5,0.25,gastric-biopsy,"{""ratio"": 2.4}",2+,North,S60,x',
        head=f"{HEAD},um_per_px_he,um_per_px_ihc,rule,ish,reference_score,site,scanner,remark",
    )
    wishes = Wishes(um_per_px_he=0.5, um_per_px_ihc=0.25, rule="gastric-biopsy", ish={"ratio": 2.4})
    assert read_manifest(path) == (
        CohortCase(
            name="B 12",
            he=tmp_path / "slides" / "b12-he.svs",
            ihc=tmp_path / "slides" / "b12.svs",
            wishes=wishes,
            reference_score="2+",
            site="North",
            scanner="S60",
        ),
    )


def test_the_he_may_be_left_out_and_columns_stand_in_any_order(tmp_path):
    (case,) = read_manifest(written(tmp_path, "b.tif,,B1", "", head="\ufeffihc,he,case"))
    assert case.he is None
    assert case.ihc == tmp_path / "b.tif"
    assert case.wishes == Wishes()


FAULTS = {
    "no such file": (None, "cannot be read"),
    "a column is missing": (("case,ihc", "a,b.svs"), "lacks the column he"),
    "no line": ((HEAD,), "holds no case"),
    "no slide": ((HEAD, "a,,"), "line 2 names no IHC"),
    "a path for a name": ((HEAD, "a,,b.svs", "../x,,c.svs"), "line 3: '../x' cannot be a folder's name"),
    "a hidden name": ((HEAD, ".a,,b.svs"), "folder's name"),
    "no name": ((HEAD, ",,b.svs"), "folder's name"),
    "twice": ((HEAD, "a,,b.svs", "A,,c.svs"), "names the case A twice"),
    "no pixel size": ((f"{HEAD},um_per_px_ihc", "a,,b.svs,fine"), "line 2: 'fine' is no µm/px"),
    "far off": ((f"{HEAD},um_per_px_he", "a,,b.svs,250"), "is no µm/px from 0.02 to 100"),
    "nan": ((f"{HEAD},um_per_px_he", "a,,b.svs,nan"), "is no µm/px"),
    "ish": ((f"{HEAD},ish", "a,,b.svs,2.3"), "line 2: the column ish holds no JSON object"),
    "score": ((f"{HEAD},reference_score", "a,,b.svs,3"), "reference score '3' is none of 0, 1+, 2+, 3+"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_told_before_any_work(tmp_path, fault):
    lines, words = FAULTS[fault]
    path = tmp_path / "missing.csv" if lines is None else written(tmp_path, *lines[1:], head=lines[0])
    with pytest.raises(CaseError) as told:
        read_manifest(path)
    assert words in str(told.value)
    assert str(tmp_path) not in str(told.value)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "list.csv"
    path.write_bytes(b"\xff\xfe\x00case")
    with pytest.raises(CaseError, match=r"no CSV text|lacks the column"):
        read_manifest(path)
