"""Score HER2 on breast-cancer slides with their H&E neighbour, and see why.

Research use only. The public names below are imported on first use, so that ``import napari_her2``
stays as light as numpy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_her2.errors import Her2Error as Her2Error
    from napari_her2.geometry import Affine as Affine
    from napari_her2.geometry import Box as Box
    from napari_her2.pipeline import score_case as score_case
    from napari_her2.scoring import apply_rule as apply_rule
    from napari_her2.slides import open_slide as open_slide

__version__ = "0.1.0"

_HOMES = {
    "Affine": "napari_her2.geometry",
    "Box": "napari_her2.geometry",
    "Her2Error": "napari_her2.errors",
    "apply_rule": "napari_her2.scoring",
    "open_slide": "napari_her2.slides",
    "score_case": "napari_her2.pipeline",
}

__all__ = ["Affine", "Box", "Her2Error", "__version__", "apply_rule", "open_slide", "score_case"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'napari_her2' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
