"""The command `train`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml
from tests.learning.tiny_recipes import content

from napari_her2.cli import main
from napari_her2.learning import finish as finishing

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(finishing, "REFERENCE", {"ordinal": (2, 2)})
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(content("stain", epochs=1)), encoding="utf-8")
    return path


def test_train_answers_with_one_object(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", "stain", str(recipe), "--out", str(tmp_path / "run"), "--device", "cpu", "--json"]
    assert main(words) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["name"] == "stain-toy"
    assert answer["epochs"] == answer["best_epoch"] == 1
    assert set(answer["validation"]) == {"loss", "kappa", "accuracy"}
    assert (tmp_path / "run" / "model" / "stain-toy.json").is_file()
    assert main(words) == 0  # a finished run is only told again
    assert json.loads(capsys.readouterr().out)["sha256"] == answer["sha256"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train", "tumour", "RECIPE"], "train stain"),
        (["train", "stain", "nothing.yaml"], "tumour-tiny"),
        (["train", "stain", "RECIPE", "--minutes", "0"], "above 0"),
        (["train", "dream", "RECIPE"], "dream"),
    ],
)
def test_wrong_usage_ends_with_2(
    words: list[str], said: str, recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(recipe) if word == "RECIPE" else word for word in words]) == 2
    assert said in capsys.readouterr().err
