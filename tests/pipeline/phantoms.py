"""Phantom pairs for tests of the whole: rendered once per test session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_her2.events import drain
from napari_her2.phantom import PhantomSpec, render_phantom

if TYPE_CHECKING:
    from pathlib import Path


def render(folder: Path, **wishes: Any) -> Path:
    """Render a pair into a folder, 320 µm wide unless wished otherwise."""
    spec = PhantomSpec(**{"seed": 5, "score": "2+", "size_um": (320.0, 320.0), **wishes})
    drain(render_phantom(spec, folder))
    return folder
