"""Learning: models from labelled patches, and how well they do.

:mod:`napari_her2.learning.evaluation` measures; it needs no torch.
"""

from __future__ import annotations

__all__: list[str] = []
