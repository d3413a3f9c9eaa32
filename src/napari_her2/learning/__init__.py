"""Learning: models from labelled patches, and how well they do.

:func:`train` makes a model from a recipe; torch comes in when it runs.
:mod:`napari_her2.learning.evaluation` measures; it needs no torch.
"""

from __future__ import annotations

from napari_her2.learning.loop import Trained, TrainingFiles, train
from napari_her2.learning.recipe import Recipe, list_recipes, read_recipe

__all__ = ["Recipe", "Trained", "TrainingFiles", "list_recipes", "read_recipe", "train"]
