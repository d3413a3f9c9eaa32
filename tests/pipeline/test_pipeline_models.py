"""Which models a run takes: the one named, the package's own for the task, or none and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.models.small import KINDS, facts
from tests.pipeline.steadfast import SIZES

from napari_her2.errors import ModelError, UsageError
from napari_her2.models import ModelSpec, Places, write_spec
from napari_her2.pipeline import Wishes
from napari_her2.pipeline.engine import MODELS, choose_model, is_plain_name, model_facts, tumour_class
from napari_her2.pipeline.plan import SlideFacts, needed_models, resolve

if TYPE_CHECKING:
    from pathlib import Path

IHC = SlideFacts("ihc.svs", "a" * 64, 0.25)
HE = SlideFacts("he.svs", "b" * 64, 0.5)


def spec(task: str, **changes: Any) -> ModelSpec:
    return ModelSpec.model_validate(facts(**(KINDS[task] | SIZES[task] | changes)))


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    made = Places.under(tmp_path / "places")
    made.packaged.mkdir(parents=True)
    made.user.mkdir(parents=True)
    monkeypatch.setattr("napari_her2.models.registry.standard_places", lambda: made)
    return made


def test_without_a_wish_the_packages_own_is_taken_and_never_the_users(places: Places) -> None:
    write_spec(spec("classify", name="mine"), places.user / "mine.json")
    with pytest.raises(ModelError, match="--tumour-model"):
        choose_model("tumour_model", None)
    write_spec(spec("classify", name="another"), places.packaged / "another.json")
    write_spec(spec("ordinal", name="stain-tiny"), places.packaged / "stain-tiny.json")
    assert choose_model("tumour_model", None).spec.name == "another"
    write_spec(spec("classify", name="tumour-tiny"), places.packaged / "tumour-tiny.json")
    assert choose_model("tumour_model", None).spec.name == "tumour-tiny"
    assert choose_model("tumour_model", "mine").spec.name == "mine"
    assert choose_model("stain_model", None).spec.name == "stain-tiny"


@pytest.mark.parametrize(
    ("setting", "task", "changes", "why"),
    [
        ("tumour_model", "classify", {}, ""),
        ("tumour_model", "classify", {"classes": ["Other", "Tumor"]}, ""),
        ("tumour_model", "classify", {"classes": ["benign", "invasive", "in situ"]}, ""),
        ("tumour_model", "classify", {"classes": ["cat", "dog"]}, "called tumour"),
        ("tumour_model", "classify", {"stain": "ihc"}, "IHC slides"),
        ("stain_model", "ordinal", {}, ""),
        ("stain_model", "classify", {"stain": "ihc", "classes": ["0", "1+", "2+", "3+"]}, ""),
        ("stain_model", "ordinal", {"classes": ["3+", "2+", "1+", "0"]}, "classes are not"),
        ("stain_model", "ordinal", {"stain": "he"}, "HE slides"),
        ("segment_model", "segment", {}, ""),
        ("segment_model", "segment", {"classes": ["0", "1+", "2+", "3+", "background"]}, "classes are not"),
        ("segment_model", "ordinal", {}, "task is ordinal"),
    ],
)
def test_what_a_model_must_be_for_its_role(
    setting: str, task: str, changes: dict[str, Any], why: str
) -> None:
    objection = MODELS[setting].objection(spec(task, **changes))
    assert why in objection
    assert bool(objection) == bool(why)
    assert MODELS[setting].fits(spec(task, **changes)) == (not why)


def test_the_class_of_tumour_is_found_by_its_name() -> None:
    assert tumour_class(spec("classify", classes=["Tumor", "Other"])) == 0
    assert tumour_class(spec("classify", classes=["benign", "invasive", "in situ"])) == 1
    with pytest.raises(ModelError, match="tumour"):
        tumour_class(spec("classify", classes=["a", "b"]))


def test_stages_depend_on_what_a_model_answers_not_on_what_is_said_of_it() -> None:
    one = spec("classify")
    assert model_facts(one) == model_facts(one.model_copy(update={"trained_on": "something else"}))
    assert model_facts(one) != model_facts(one.model_copy(update={"sha256": "1" * 64}))
    assert model_facts(one) != model_facts(one.model_copy(update={"um_per_px": 2.0}))


@pytest.mark.parametrize(
    ("he", "drawn", "needed"),
    [
        (True, False, {"tumour_model", "stain_model", "segment_model"}),
        (True, True, {"stain_model", "segment_model"}),
        (False, False, {"stain_model", "segment_model"}),
    ],
)
def test_nobody_is_asked_for_what_is_known(he: bool, drawn: bool, needed: set[str]) -> None:
    assert set(needed_models(he=he, drawn=drawn)) == needed


def test_a_plan_names_models_by_name_and_goes_by_content() -> None:
    models = {
        "tumour_model": spec("classify"),
        "stain_model": spec("ordinal"),
        "segment_model": spec("segment"),
    }
    wishes = {"option": Wishes(engine="transformer", tumour_model="some/folder/spec.json")}
    plan = resolve(wishes, ihc=IHC, he=HE, models=models)
    assert plan.to_json()["tumour_model"] == {"value": "steady-tumour", "source": "option"}
    assert plan.to_json()["stain_model"] == {"value": "steady-stain", "source": "default"}
    other = {**models, "stain_model": models["stain_model"].model_copy(update={"sha256": "1" * 64})}
    assert resolve(wishes, ihc=IHC, he=HE, models=other).key != plan.key
    assert plan.facts("tumour_model") == resolve(wishes, ihc=IHC, he=HE, models=other).facts("tumour_model")
    with pytest.raises(ModelError, match="scores of IHC pixels"):
        resolve(wishes, ihc=IHC, he=HE, models={k: m for k, m in models.items() if k != "segment_model"})
    with pytest.raises(UsageError, match="--engine transformer"):
        resolve({"option": Wishes(tumour_model="x")}, ihc=IHC, he=HE, models=models)


def test_paths_of_models_do_not_stay_in_a_case() -> None:
    assert is_plain_name("tumour-tiny")
    assert not is_plain_name("folder/of/someone/spec.json")
    assert not is_plain_name("spec.json")
