"""Run a command as a script does."""

from __future__ import annotations

import json
from typing import Any

import pytest

from napari_her2.cli import main

Capture = pytest.CaptureFixture[str]


def run(capsys: pytest.CaptureFixture[str], *words: object, code: int = 0) -> dict[str, Any]:
    """Run a command with --json; return the one object of stdout."""
    capsys.readouterr()
    assert main([*map(str, words), "--json"]) == code
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found
