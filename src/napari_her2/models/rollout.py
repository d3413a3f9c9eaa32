"""Attention rollout: which places of a patch reached the class token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_her2.errors import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.models.face import PatchModel

__all__ = ["attention_rollout"]


def attention_rollout(model: PatchModel, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Explain a classifier's patches by attention rollout (Abnar & Zuidema 2020).

    Each layer's attention, averaged over heads, is mixed half and half with the identity (the residual
    path), and the layers are multiplied. It shows where information came from, not why the class was
    chosen.

    Parameters
    ----------
    model : PatchModel
        A timm vision transformer.
    batch : ndarray of shape (n, size_px, size_px, 3), uint8

    Returns
    -------
    ndarray of shape (n, rows, cols), float32
        One value per token, 0..1, summing to 1 over each patch.

    Raises
    ------
    ModelError
        If the model shows no attention.
    """
    network = getattr(model, "network", None)
    backbone = getattr(getattr(network, "body", None), "backbone", None)
    blocks = getattr(backbone, "blocks", None)
    if blocks is None or not all(hasattr(getattr(block, "attn", None), "qkv") for block in blocks):
        raise ModelError(f"{model.spec.name} shows no attention: rollout needs a timm vision transformer")
    flow = _flow(model, list(blocks), batch)
    prefix = int(backbone.num_prefix_tokens)  # type: ignore[union-attr]
    seen = flow[:, 0, prefix:] if prefix else flow.mean(1)
    rows, cols = backbone.patch_embed.grid_size  # type: ignore[union-attr]
    shares = seen / seen.sum(1, keepdim=True)
    return np.asarray(shares.reshape(-1, rows, cols).cpu().numpy(), np.float32)


def _flow(model: Any, blocks: list[Any], batch: NDArray[np.uint8]) -> Any:
    """Product of the layers' attentions: (n, tokens, tokens)."""
    import torch

    kept: list[Any] = []
    hooks = [
        block.attn.register_forward_pre_hook(lambda layer, given: kept.append(_attention(layer, given[0])))
        for block in blocks
    ]
    try:
        with model.input.running():
            model.network.features(model.input(batch))
    finally:
        for hook in hooks:
            hook.remove()
    same = torch.eye(kept[0].shape[-1], device=kept[0].device)
    flow = same.expand_as(kept[0])
    for attention in kept:
        flow = ((attention + same) / 2) @ flow
    return flow


def _attention(layer: Any, tokens: Any) -> Any:
    """Attention of one layer, mean over heads: (n, tokens, tokens), float32; rows sum to 1."""
    n, count, _ = tokens.shape
    query, key, _ = layer.qkv(tokens).reshape(n, count, 3, layer.num_heads, -1).permute(2, 0, 3, 1, 4)
    query, key = layer.q_norm(query), layer.k_norm(key)
    return (query.float() * layer.scale @ key.float().transpose(-2, -1)).softmax(-1).mean(1)
