"""The spec: what it keeps, and what it refuses before anything else is looked at. No torch."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.models.small import KINDS, MASKFORMER, VIT, facts

from napari_her2.case.report import ModelFacts
from napari_her2.errors import ModelError, UsageError
from napari_her2.models import BLUEPRINTS, Metric, ModelSpec, blueprint, read_spec, write_spec
from napari_her2.vocabulary import SCORES

if TYPE_CHECKING:
    from pathlib import Path

METRIC = {
    "name": "AUC",
    "value": 0.9,
    "low": 0.8,
    "high": 0.95,
    "kind": "phantom",
    "data": "50 phantoms",
    "n": 50,
}


def write(tmp_path: Path, held: object) -> Path:
    path = tmp_path / "spec.json"
    path.write_text(json.dumps(held), encoding="utf-8")
    return path


@pytest.mark.parametrize("task", KINDS)
def test_a_spec_survives_its_file(tmp_path: Path, task: str) -> None:
    spec = ModelSpec.model_validate(facts(**KINDS[task], metrics=[METRIC]))
    write_spec(spec, tmp_path / "spec.json")
    assert read_spec(tmp_path / "spec.json") == spec
    assert json.loads((tmp_path / "spec.json").read_text())["schema"] == "napari-her2/model/1"


def test_a_report_takes_the_facts() -> None:
    spec = ModelSpec.model_validate(facts(metrics=[METRIC]))
    kept = ModelFacts.model_validate(spec.facts())
    assert kept.metrics == {"AUC (phantom)": [0.9, 0.8, 0.95]}
    assert spec.size_um == 16


REFUSED = [
    ("a key of its own", {"colour": "red"}, "colour"),
    ("another schema", {"schema": "napari-her2/model/2"}, "schema"),
    ("weights in another folder", {"weights": "../small.safetensors"}, "weights"),
    ("weights below", {"weights": "a/b.safetensors"}, "weights"),
    ("weights on a drive", {"weights": "C:\\b.safetensors"}, "weights"),
    ("weights from the root", {"weights": "/b.safetensors"}, "weights"),
    ("no name of weights", {"weights": ".."}, "weights"),
    ("a name with a path", {"name": "../x"}, "name"),
    ("a name in capitals", {"name": "Tumour"}, "name"),
    ("half a hash", {"sha256": "abc"}, "sha256"),
    ("no size", {"um_per_px": 0}, "um_per_px"),
    ("no number", {"um_per_px": float("nan")}, "um_per_px"),
    ("a giant patch", {"size_px": 100_000}, "size_px"),
    ("no classes", {"classes": []}, "classes"),
    ("twice the same class", {"classes": ["a", "a"]}, "same name"),
    ("no spread", {"std": [0.5, 0, 0.5]}, "std"),
    ("finer than it was trained", {"coarsest_um_per_px": 0.4}, "coarsest_um_per_px"),
    ("one ordered class", {"task": "ordinal", "classes": ["0"]}, "two classes"),
    ("a ViT that segments", {"task": "segment"}, "cannot segment"),
    ("an unknown kind", {"adapter": {"kind": "pickle"}}, "adapter"),
    ("a model from the hub", {"adapter": {**VIT, "model": "hf-hub:someone/model"}}, "model"),
    ("a model from a folder", {"adapter": {**VIT, "model": "local-dir:x"}}, "model"),
    ("an option that loads", {"adapter": {**VIT, "options": {"checkpoint_path": "x.pt"}}}, "checkpoint_path"),
    ("an option that downloads", {"adapter": {**VIT, "options": {"pretrained": True}}}, "pretrained"),
    ("absurd width", {"adapter": {**VIT, "options": {"embed_dim": 10**9}}}, "embed_dim"),
    ("absurd depth", {"adapter": {**VIT, "options": {"depth": 5000}}}, "depth"),
    ("undivided heads", {**KINDS["segment"], "adapter": {**MASKFORMER, "heads": [3, 2, 4, 8]}}, "heads"),
    ("groups that do not divide", {**KINDS["segment"], "adapter": {**MASKFORMER, "fpn": 40}}, "fpn"),
    ("a stem that does not divide", {**KINDS["segment"], "adapter": {**MASKFORMER, "stem": 12}}, "stem"),
    ("an estimate outside its interval", {"metrics": [{**METRIC, "low": 0.93}]}, "outside"),
    ("a metric of neither kind", {"metrics": [{**METRIC, "kind": "both"}]}, "kind"),
]  # fmt: skip


@pytest.mark.parametrize(("why", "changes", "word"), REFUSED, ids=[case[0] for case in REFUSED])
def test_impossible_specs_are_refused_in_words(
    tmp_path: Path, why: str, changes: dict[str, Any], word: str
) -> None:
    path = write(tmp_path, facts(**changes))
    with pytest.raises(ModelError, match=word) as caught:
        read_spec(path)
    assert "spec.json" in str(caught.value)
    assert len(str(caught.value)) <= 500


@pytest.mark.parametrize("key", [k for k in facts() if k != "schema"])
def test_no_fact_may_be_missing(tmp_path: Path, key: str) -> None:
    held = facts()
    del held[key]
    with pytest.raises(ModelError, match=key):
        read_spec(write(tmp_path, held))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000])
def test_what_is_no_spec_at_all(tmp_path: Path, text: str) -> None:
    path = tmp_path / "spec.json"
    path.write_text(text)
    with pytest.raises(ModelError, match=r"spec\.json"):
        read_spec(path)
    with pytest.raises(ModelError, match=r"none\.json"):
        read_spec(tmp_path / "none.json")


def test_weights_are_not_read_as_a_spec(tmp_path: Path) -> None:
    path = tmp_path / "weights.json"
    path.write_bytes(b" " * 2_000_000)
    with pytest.raises(ModelError, match="too large"):
        read_spec(path)


def test_the_models_of_the_paper() -> None:
    tumour, stain, segment = blueprint("tumour-small"), blueprint("stain-tiny-512"), blueprint("segment-mini")
    assert (tumour.um_per_px, tumour.size_px, tumour.classes) == (0.5, 224, ("other", "tumour"))
    assert (stain.um_per_px, stain.size_px, stain.classes, stain.task) == (0.25, 512, SCORES, "ordinal")
    assert (segment.um_per_px, segment.size_px, segment.classes) == (0.25, 512, ("background", *SCORES))
    with pytest.raises(UsageError, match="segment-huge"):
        blueprint("segment-huge")


@pytest.mark.parametrize("name", BLUEPRINTS)
def test_a_blueprint_becomes_a_spec(name: str) -> None:
    spec = blueprint(name).spec(
        name=f"her2-{name}", weights="w.safetensors", sha256="a" * 64, licence="BSD-3-Clause",
        trained_on="phantoms", metrics=(Metric.model_validate(METRIC),),
    )  # fmt: skip
    assert ModelSpec.model_validate(spec.to_json()) == spec
