"""From a spec's adapter to a network without weights; torch comes in only here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_her2.models.adapters import MaskFormerAdapter, TimmAdapter

if TYPE_CHECKING:
    from napari_her2.models.blueprints import Blueprint
    from napari_her2.models.spec import ModelSpec

__all__ = ["build_network"]


def build_network(plan: ModelSpec | Blueprint) -> Any:
    """Make the network of a spec or blueprint, with random weights.

    Returns
    -------
    torch.nn.Module
        With ``probabilities(pixels)``, ``features(pixels)`` and ``answers(pixels)`` (both), for normalised
        pixels (n, 3, h, w);
        calling it gives logits for training.

    Raises
    ------
    ModelError
        If the libraries cannot make it.
    ValueError
        For adapters that bring their own network.
    """
    if isinstance(plan.adapter, TimmAdapter):
        from napari_her2.models._vit import PatchClassifier

        return PatchClassifier(plan.adapter, len(plan.classes))
    if isinstance(plan.adapter, MaskFormerAdapter):
        from napari_her2.models._maskformer import Segmenter

        return Segmenter(plan.adapter, len(plan.classes), plan.size_px)
    raise ValueError(f"a {plan.adapter.kind} model brings its own network")
