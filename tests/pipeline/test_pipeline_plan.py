"""Wishes and reality → plan: option before case before preferences before default."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from napari_her2.errors import ModelError, UsageError
from napari_her2.pipeline import Wishes, read_preferences
from napari_her2.pipeline.plan import FileFacts, Plan, SlideFacts, resolve

if TYPE_CHECKING:
    from pathlib import Path

IHC = SlideFacts("ihc.svs", "a" * 64, 0.25)
HE = SlideFacts("he.svs", "b" * 64, 0.5)
PICTURE = SlideFacts("field.png", "c" * 64, 0.25, picture=True)


def plan(ihc: SlideFacts = IHC, he: SlideFacts | None = HE, **wishes: Wishes) -> Plan:
    return resolve(wishes, ihc=ihc, he=he)


def test_defaults_are_named_as_such() -> None:
    settings = plan().to_json()
    assert settings["rule"] == {"value": "asco-cap-breast-2023", "source": "default"}
    assert settings["min_cells"] == {"value": 100, "source": "default"}
    assert settings["um_per_px_ihc"] == {"value": 0.25, "source": "slide"}
    assert plan(PICTURE, None)["min_cells"] == 20


@pytest.mark.parametrize(
    ("given", "rule", "source"),
    [
        (("option", "case", "preferences"), "gastric-biopsy", "option"),
        (("case", "preferences"), "gastric-resection", "case"),
        (("preferences",), "paper-max", "preferences"),
        ((), "asco-cap-breast-2023", "default"),
    ],
)
def test_the_nearest_wish_is_followed_and_named(given: tuple[str, ...], rule: str, source: str) -> None:
    all_wishes = {
        "option": Wishes(rule="gastric-biopsy"),
        "case": Wishes(rule="gastric-resection"),
        "preferences": Wishes(rule="paper-max"),
    }
    made = plan(**{name: all_wishes[name] for name in given})
    assert made.to_json()["rule"] == {"value": rule, "source": source}


@pytest.mark.parametrize(
    ("wishes", "error"),
    [
        ({"rule": "breast"}, UsageError),
        ({"engine": "best"}, UsageError),
        ({"engine": "transformer"}, ModelError),
        ({"tumour_model": "x"}, ModelError),
        ({"device": "cuda:x"}, UsageError),
        ({"min_cells": 0}, UsageError),
        ({"ish": {"probe": "dual"}}, UsageError),
        ({"pieces": {"one": "control"}}, UsageError),
        ({"pieces": {"1": "control 4+"}}, UsageError),
        ({"pieces": {"1": "patient 3+"}}, UsageError),
    ],
    ids=repr,
)
def test_wishes_that_make_no_sense_are_refused(wishes: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        plan(option=Wishes(**wishes))


@pytest.mark.parametrize("device", ["auto", "cpu", "mps", "cuda", "cuda:1"])
def test_devices(device: str) -> None:
    assert plan(option=Wishes(device=device))["device"] == device


def test_the_key_follows_content_not_names() -> None:
    renamed = SlideFacts("other.svs", IHC.sha256, IHC.um_per_px)
    assert plan(renamed).key == plan().key
    assert plan(SlideFacts("ihc.svs", "d" * 64, 0.25)).key != plan().key
    assert plan(option=Wishes(rule="paper-max")).key != plan().key
    assert plan(option=Wishes(rule="asco-cap-breast-2023")).key == plan().key, (
        "said or default, it is the same"
    )


def test_files_count_by_content_and_stand_by_name(tmp_path: Path) -> None:
    wishes = {"option": Wishes(roi=tmp_path / "secret" / "roi.geojson")}
    one, two = (resolve(wishes, ihc=IHC, he=HE, files={"roi": FileFacts("roi.geojson", sha)}) for sha in "ab")
    assert one.key != two.key
    assert one.to_json()["roi"] == {"value": "roi.geojson", "source": "option"}


def test_landmarks_need_both_slides(tmp_path: Path) -> None:
    facts = {"landmarks": FileFacts("l.csv", "a")}
    with pytest.raises(UsageError, match="--he"):
        resolve({"option": Wishes(landmarks=tmp_path / "l.csv")}, ihc=IHC, he=None, files=facts)


def test_preferences_come_from_the_users_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platformdirs.user_config_path", lambda *_, **__: tmp_path)
    assert read_preferences() == Wishes()
    (tmp_path / "preferences.toml").write_text('rule = "gastric-biopsy"\nmin_cells = 50\n')
    assert read_preferences().given() == {"rule": "gastric-biopsy", "min_cells": 50}
    (tmp_path / "preferences.toml").write_text('colour = "red"\n')
    with pytest.raises(UsageError, match="colour"):
        read_preferences()
    (tmp_path / "preferences.toml").write_text("rule = ")
    with pytest.raises(UsageError, match=r"preferences\.toml"):
        read_preferences()
