"""Rule files: what is shipped, and what is refused."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest
import yaml

from napari_her2.errors import UsageError
from napari_her2.scoring import DEFAULT_RULE, apply_rule, list_rules, load_rule

TEXT = (
    files("napari_her2.scoring")
    .joinpath("rules")
    .joinpath(f"{DEFAULT_RULE}.yaml")
    .read_text(encoding="utf-8")
)


def test_the_four_rules_and_their_editions() -> None:
    names = [rule.name for rule in list_rules()]
    assert names == ["asco-cap-breast-2023", "gastric-resection", "gastric-biopsy", "paper-max"]
    assert names[0] == DEFAULT_RULE
    shipped = {Path(entry.name).stem for entry in files("napari_her2.scoring").joinpath("rules").iterdir()}
    assert shipped == set(names)
    for rule in list_rules():
        assert rule.edition
        assert rule.sources
        assert rule.to_json()["edition"] == rule.edition


def test_the_rule_stands_in_the_call() -> None:
    call = apply_rule({"none": 200})
    assert call.rule == {"name": "asco-cap-breast-2023", "edition": "ASCO/CAP 2018, affirmed 2023"}


def test_an_unknown_rule_names_those_there_are() -> None:
    with pytest.raises(UsageError, match="gastric-biopsy"):
        load_rule("endometrial")


def test_a_rule_of_ones_own(tmp_path: Path) -> None:
    data = yaml.safe_load(TEXT)
    data["name"] = "serous"
    data["tests"][0]["percent"] = 30
    data["tests"][0]["test"] = "complete, intense staining in more than 30 % of tumour cells"
    path = tmp_path / "serous.yaml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    counts = {"complete_intense": 300, "none": 700}
    assert apply_rule(counts).score == "3+"
    assert apply_rule(counts, path).score == "2+"
    assert apply_rule({"complete_intense": 301, "none": 699}, path).rule["name"] == "serous"
    with pytest.raises(UsageError, match=r"missing\.yaml"):
        load_rule(tmp_path / "missing.yaml")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("min_cells: 100", "min_cells: 100\nmax_cells: 5", "unknown key 'max_cells'"),
        ("edition: ASCO/CAP 2018, affirmed 2023\n", "", "lacks 'edition'"),
        ("napari-her2/rule/1", "napari-her2/rule/9", "schema"),
        ("min_cells: 100", "min_cells: -1", "min_cells"),
        ("min_cells: 100", "min_cells: yes", "min_cells"),
        ('score: "3+"', 'score: "4+"', "score"),
        ("category: positive\n    test", "category: high\n    test", "category"),
        ('op: ">"', 'op: "<"', "op"),
        ("percent: 10\n  - score", "percent: 110\n  - score", "percentage"),
        ("of: [complete_intense]", "of: [complete]", "column"),
        ("of: [complete_intense]", "of: []", "at least one entry"),
        ("of: [complete_intense]", "of: [none]", "column"),
        ("    floor: true", "    floor: true\n    percent: 3", "one of percent, cells"),
        ("floor: {percent: 1, cells: 10}\n", "", "floor"),
        ("flags: [unusual_pattern]", "flags: [odd]", "flag"),
        ('5: {"0": negative', '6: {"0": negative', "unknown key"),
        ('"3+": discordant', '"3+": maybe', "status"),
        ("groups: [2, 3, 4]", "groups: [2, 7]", "group"),
        ('score: "1+"', 'score: "3+"', "strongest"),
        ("[complete_intense, complete_weak_moderate]", "[complete_weak_moderate]", "leaves out cells"),
        ("tests:", "tests: {}\nolder:", "unknown key"),
        ("tests:", "tests: [", "no YAML"),
    ],
)
def test_a_bad_rule_file_is_refused(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert old in TEXT
    path = tmp_path / "own.yaml"
    path.write_text(TEXT.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(UsageError, match=words) as caught:
        load_rule(path)
    assert "own.yaml" in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


def test_two_tests_never_share_a_wording(tmp_path: Path) -> None:
    data = yaml.safe_load(TEXT)
    data["tests"][1]["test"] = data["tests"][0]["test"]
    path = tmp_path / "twice.yaml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    with pytest.raises(UsageError, match="wording"):
        load_rule(path)
