"""``score`` and the corrections of people: used by default, left out when asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from napari_her2.cli import main
from napari_her2.cli.commands import case as case_command
from napari_her2.cli.commands import score as score_command
from napari_her2.errors import CaseError
from napari_her2.pipeline import again

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.mark.parametrize(("words", "wish"), [((), None), (("--without-corrections",), False)])
def test_corrections_are_left_out_only_when_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: tuple[str, ...], wish: bool | None
) -> None:
    asked: list[Any] = []

    def score_case(request: Any) -> Iterator[Any]:
        asked.append(request)
        yield from ()
        raise CaseError("the test has seen enough")

    monkeypatch.setattr(score_command, "score_case", score_case)
    assert main(["score", "--ihc", "ihc.svs", "--out", str(tmp_path / "case"), *words]) == 3
    assert asked[0].options.corrections is wish


@pytest.mark.parametrize("corrected", [True, False])
def test_rerun_says_why_it_differs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], corrected: bool
) -> None:
    from napari_her2 import pipeline

    def rerun_case(*_: Any, **__: Any) -> Iterator[Any]:
        yield from ()
        return again.Rerun(("cells.evaluable: 100, now 90",), False, corrected)  # type: ignore[return-value]

    monkeypatch.setattr(case_command, "read_case", lambda path: path)
    monkeypatch.setattr(pipeline, "rerun_case", rerun_case)
    assert main(["case", "rerun", str(tmp_path), "--out", str(tmp_path / "again")]) == 3
    said = capsys.readouterr().out
    assert ("people corrected the case" in said) == corrected
    assert "now 90" in said
