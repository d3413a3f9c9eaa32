"""Recipes: what a file may hold, and what is refused in one sentence."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from tests.learning.tiny_recipes import content

from napari_her2.errors import UsageError
from napari_her2.learning import list_recipes, read_recipe
from napari_her2.models import BLUEPRINTS

if TYPE_CHECKING:
    from pathlib import Path


def written(tmp_path: Path, changed: dict[str, Any]) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(changed), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", list_recipes())
def test_the_packaged_recipes_are_valid(name: str) -> None:
    recipe = read_recipe(name)
    assert recipe.model in BLUEPRINTS
    assert recipe.plan.classes


def test_a_recipe_survives_its_file(tmp_path: Path) -> None:
    plain = {"options": {}}
    recipe = read_recipe(written(tmp_path, content() | plain))
    assert read_recipe(written(tmp_path, recipe.to_json())) == recipe


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "unknown key": ({"colour": "red"}, "colour"),
    "unknown model": ({"model": "tumour-huge"}, "tumour-huge"),
    "model of another task": ({"model": "stain-tiny-224", "options": {}}, "stain-tiny-224"),
    "no data": ({"data": {}}, "at least one"),
    "negative rate": ({"schedule": {"learning_rate": -1}}, "learning_rate"),
    "not a number": ({"schedule": {"learning_rate": float("nan")}}, "learning_rate"),
    "stages fall": ({"schedule": {"stages": [{"until": 1}, {"until": 0.5}]}}, "stages"),
    "stages do not end": ({"schedule": {"stages": [{"until": 0.5}]}}, "stages"),
    "another size for a ViT": ({"schedule": {"stages": [{"size_px": 128}]}}, "224 px"),
    "a name with a folder": ({"name": "../evil"}, "name"),
    "absurd scene": ({"data": {"phantoms": {"size_um": [10, 20]}}}, "size_um"),
    "model of another slide": ({"task": "tissue", "model": "segment-mini", "options": {}}, "segment-mini"),
    "cases without stroma": (
        {"task": "tissue", "model": "tissue-mini", "options": {}, "data": {"cases": {"folders": ["a"]}}},
        "stroma",
    ),
    "foreign option": ({"options": {"options": {"pretrained": True}}}, "pretrained"),
}


@pytest.mark.parametrize(("change", "said"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named_in_one_sentence(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as error:
        _ = read_recipe(written(tmp_path, content() | change)).plan
    message = str(error.value)
    assert said in message
    assert "recipe.yaml" in message
    assert len(message) <= 500
    assert "\n" not in message


@pytest.mark.parametrize("text", ["a: [", "- 1\n- 2\n", "", "\x00"])
def test_files_that_are_no_recipe(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=r"bad\.yaml"):
        read_recipe(path)


def test_a_missing_recipe_names_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="tumour-tiny"):
        read_recipe(tmp_path / "nothing.yaml")


def test_paths_are_relative_to_the_recipe(tmp_path: Path) -> None:
    data = {"patches": {"folder": "here", "table": "here/t.csv"}, "cases": {"folders": ["a", "b"]}}
    recipe = read_recipe(written(tmp_path, content() | {"data": data}))
    assert recipe.data.patches is not None
    assert recipe.data.patches.folder == tmp_path / "here"
    assert recipe.data.patches.table == tmp_path / "here" / "t.csv"
    assert recipe.data.cases is not None
    assert recipe.data.cases.folders == (tmp_path / "a", tmp_path / "b")
    assert os.sep in str(recipe.data.patches.folder)
