"""The command line: the only place that prints. Each command is one module of ``commands``."""

from __future__ import annotations

from napari_her2.cli.main import main

__all__ = ["main"]
