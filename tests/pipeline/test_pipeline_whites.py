"""White of a case's slides: given, seen, borrowed from the other slide of the same scanner, or assumed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from napari_her2.errors import UsageError
from napari_her2.pipeline.plan import SlideFacts, resolve
from napari_her2.pipeline.request import Wishes
from napari_her2.pipeline.whites import borrow_white, white_qc
from napari_her2.slides import Slide, White, open_slide

if TYPE_CHECKING:
    from pathlib import Path

GLASS = (238, 236, 230)


def written(path: Path, *, glass: bool) -> Path:
    """A picture of tissue with or without bare glass beside it."""
    rng = np.random.default_rng(4)
    rgb = rng.normal((150, 90, 130), 12, (300, 300, 3))
    if glass:
        rgb[:, :150] = rng.normal(GLASS, 1.0, (300, 150, 3))
    cv2.imwrite(str(path), np.clip(rgb, 0, 255).round().astype(np.uint8)[..., ::-1])
    return path


def pair(folder: Path, scanners: tuple[tuple[str | None, float | None], ...]) -> list[Slide]:
    slides = []
    for name, glass, (vendor, objective) in zip(("ihc", "he"), (False, True), scanners, strict=True):
        slide = open_slide(written(folder / f"{name}.png", glass=glass), um_per_px=0.5)
        slide.vendor, slide.objective = vendor, objective
        slides.append(slide)
    return slides


APERIO = ("aperio", 40.0)


@pytest.mark.parametrize(
    ("scanners", "origin"),
    [
        ((APERIO, APERIO), "other_slide"),
        ((APERIO, ("hamamatsu", 40.0)), "assumed"),
        ((APERIO, ("aperio", 20.0)), "assumed"),
        (((None, None), (None, None)), "assumed"),
    ],
)
def test_white_is_borrowed_from_a_slide_of_the_same_scanner_alone(tmp_path, scanners, origin):
    ihc, he = pair(tmp_path, scanners)
    with ihc, he:
        borrow_white(ihc, he)
        assert ihc.background.origin == origin
        assert he.background.origin == "glass"
        wanted = GLASS if origin == "other_slide" else (255, 255, 255)
        assert ihc.white == pytest.approx(wanted, abs=1)


def test_what_a_person_gave_is_not_replaced(tmp_path):
    ihc, he = pair(tmp_path, (APERIO, APERIO))
    with ihc, he:
        ihc.give_white(White((240.0, 241.0, 242.0), "given"))
        borrow_white(ihc, he)
        assert ihc.white == (240.0, 241.0, 242.0)


def test_another_white_is_another_plan_and_the_report_names_its_origin():
    seen = SlideFacts("a.svs", "a", 0.25, white=White((240.0, 239.0, 241.0), "glass"))
    plan = resolve({}, ihc=seen, he=None)
    assert plan.to_json()["white_ihc"] == {"value": [240.0, 239.0, 241.0], "source": "glass"}
    given = replace(seen, white=White((250.0, 250.0, 250.0), "given"))
    other = resolve({"option": Wishes(white_ihc=(250.0, 250.0, 250.0))}, ihc=given, he=None)
    assert other.to_json()["white_ihc"] == {"value": [250.0, 250.0, 250.0], "source": "option"}
    assert plan.key != other.key
    assert white_qc(other.slides) == {"ihc": {"rgb": [250.0, 250.0, 250.0], "from": "given"}}


def test_a_stored_white_comes_back_as_it_was_given():
    assert Wishes.of({"white_he": [240, 241, 242]}, "the case").white_he == (240, 241, 242)


@pytest.mark.parametrize("text", ["250", "1,2,3", "a,b,c", "250,250,256"])
def test_the_option_takes_three_numbers_of_a_white(text):
    from napari_her2.cli.parser import parse

    with pytest.raises(UsageError, match="--white-ihc"):
        parse(["score", "--ihc", "a", "--out", "b", "--white-ihc", text])
    said = parse(["score", "--ihc", "a", "--out", "b", "--white-ihc", "233,234,242"])
    assert said.white_ihc == (233.0, 234.0, 242.0)
