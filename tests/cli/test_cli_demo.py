"""The demo without its window: what it writes, and what it says where no window is possible."""

from __future__ import annotations

import json
import shutil
import sys
from typing import TYPE_CHECKING

import pytest

from napari_her2.cli import main, screen
from napari_her2.phantom import PhantomSpec

if TYPE_CHECKING:
    from pathlib import Path

SMALL = PhantomSpec(seed=5, score="3+", size_um=(320.0, 320.0))


def test_the_demo_makes_the_case_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[Path] = []

    def show(case: Path, picture: Path) -> None:
        shown.append(case)
        picture.write_bytes(b"PNG")

    monkeypatch.setattr("napari_her2.cli.commands.demo.show", show)
    monkeypatch.setattr("napari_her2.cli.commands.demo._spec", lambda: SMALL)
    monkeypatch.chdir(tmp_path)
    assert main(["demo", "--json"]) in (0, 5)
    found = json.loads(capsys.readouterr().out)
    assert (tmp_path / "demo" / "case" / "report.json").is_file()
    assert found["screenshot"] == str(shown[0].parent / "screenshot.png")
    before = (tmp_path / "demo" / "ihc.ome.tif").stat().st_mtime_ns
    assert main(["demo"]) in (0, 5)
    assert (tmp_path / "demo" / "ihc.ome.tif").stat().st_mtime_ns == before
    assert len(shown) == 2


def test_the_recipe_of_the_demo_is_that_of_the_sample_case() -> None:
    from napari_her2._napari.sample import sample_spec
    from napari_her2.cli.commands.demo import _spec

    assert _spec() == sample_spec()


def test_what_is_lacking_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screen.sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert not screen.has_display()
    monkeypatch.setattr(screen.shutil, "which", lambda name: None)
    assert "apt-get install -y xvfb" in str(screen.show(tmp_path, tmp_path / "s.png"))


def test_a_viewer_that_fails_is_a_sentence() -> None:
    code = "import sys; print('first', file=sys.stderr); sys.exit('no such plugin')"
    said = screen._run([sys.executable, "-c", code], {}, 60)
    assert said is not None
    assert "no such plugin" in said
    assert "doctor" in said
    assert screen._run([sys.executable, "-c", ""], {}, 60) is None


@pytest.mark.skipif(shutil.which("Xvfb") is None, reason="needs Xvfb")
def test_a_virtual_display_chooses_its_number_and_ends() -> None:
    with screen._virtual_display() as display:
        assert display is not None
        assert display.startswith(":")
        with screen._virtual_display() as other:
            assert other != display
