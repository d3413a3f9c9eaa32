"""The scripts for QuPath speak of the classes, texts and options that there are."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from tests.exchange.known import known

from napari_her2.cli.parser import build_parser
from napari_her2.exchange.classes import cell_class_of, class_of_cell
from napari_her2.exchange.drawn import is_reviewed
from napari_her2.exchange.geojson import feature_text
from napari_her2.vocabulary import CELL_CLASSES, EXCLUDED_REASONS

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "qupath"
SCRIPTS = sorted(FOLDER.glob("*.groovy"))


def test_there_is_a_script_for_each_way() -> None:
    assert [path.name for path in SCRIPTS] == ["export_her2.groovy", "import_her2.groovy"]


def test_cells_of_an_earlier_import_are_recognised() -> None:
    (pattern,) = re.findall(r"==~ /(.+?)/", (FOLDER / "import_her2.groovy").read_text(encoding="utf-8"))
    for cell_class in CELL_CLASSES:
        for reason in EXCLUDED_REASONS:
            for in_tumour in (True, False):
                assert re.fullmatch(pattern, class_of_cell(cell_class, reason, in_tumour=in_tumour))
    assert not re.fullmatch(pattern, "Tumor")


def test_the_texts_they_read_are_in_the_metadata() -> None:
    properties = {"method": "classical", "carried": True, "role": "patient", "slide": "he"}
    metadata = json.loads(feature_text(known(properties=properties)))["properties"]["metadata"]
    for key in re.findall(
        r'text\(it, "(\w+)"\)', (FOLDER / "import_her2.groovy").read_text(encoding="utf-8")
    ):
        assert isinstance(metadata[key], str)
    assert metadata["carried"] == "true"


def test_the_classes_they_advise_are_understood() -> None:
    text = (FOLDER / "export_her2.groovy").read_text(encoding="utf-8")
    advised = re.findall(r'"((?:Tumor|Excluded): [^"]+)"', text)
    assert {cell_class_of(name) for name in advised} == {("3+", ""), ("2+", "reader")}
    for name in ("Region*", "Reviewed"):
        assert name in text
        assert is_reviewed(known(name=name))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_the_commands_they_name_are_accepted(path: Path) -> None:
    (line,) = re.findall(r"\* +napari-her2 (.+)", path.read_text(encoding="utf-8"))
    words = re.findall(r'"[^"]*"|\S+', line)
    assert build_parser().parse_args(words).slide == "ihc"
