"""A start for ViTs that are trained from nothing. Imports torch: load it inside functions."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["start_like_trained"]

QUERY_KEY = (0.7, 0.7)
VALUE_OUT = (0.4, 0.4)


def start_like_trained(backbone: Any) -> None:
    """Give attention layers the structure that trained ones have.

    Trockman & Kolter 2023, Mimetic Initialization of Self-Attention Layers: W_q W_k^T near the identity,
    W_v W_out near minus the identity, positions as sines. ViTs learn several times as fast from few
    data. Models without such layers are left as they are.

    Parameters
    ----------
    backbone : nn.Module
        Of timm.
    """
    for module in backbone.modules():
        if isinstance(getattr(module, "qkv", None), nn.Linear) and isinstance(module.proj, nn.Linear):
            _attention(module)
    positions = getattr(backbone, "pos_embed", None)
    grid = getattr(getattr(backbone, "patch_embed", None), "grid_size", None)
    if isinstance(positions, nn.Parameter) and grid is not None:
        _positions(positions, grid)


def _factors(matrix: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Return A, B (rank, n) with AᵀB the best approximation of a matrix (n, n)."""
    left, size, right = torch.linalg.svd(matrix)
    root = size[:rank].sqrt()
    return (left[:, :rank] * root).T, right[:rank] * root[:, None]


def _near_identity(width: int, noise: float, sign: float) -> Tensor:
    return noise * torch.randn(width, width) / width**0.5 + sign * torch.eye(width)


@torch.no_grad()
def _attention(layer: Any) -> None:
    width = layer.qkv.in_features
    heads = int(layer.num_heads)
    rank = width // heads
    query, key, value = layer.qkv.weight.view(3, heads, rank, width)
    for head in range(heads):
        a, b = _factors(_near_identity(width, *QUERY_KEY), rank)
        query[head], key[head] = a, b
    a, b = _factors(_near_identity(width, VALUE_OUT[0], -VALUE_OUT[1]), width)
    value.copy_(a.view(heads, rank, width))
    layer.proj.weight.copy_(b.T)


@torch.no_grad()
def _positions(positions: nn.Parameter, grid: tuple[int, int]) -> None:
    """Sines and cosines of row and column for the patch tokens; others stay."""
    width, count = positions.shape[-1], grid[0] * grid[1]
    rates = 10_000.0 ** -(torch.arange(width // 4) / (width // 4))
    parts = []
    for axis in torch.meshgrid(torch.arange(grid[0]), torch.arange(grid[1]), indexing="ij"):
        phase = axis.reshape(-1, 1) * rates
        parts += [phase.sin(), phase.cos()]
    table = torch.cat(parts, 1)
    positions[0, -count:, : table.shape[1]] = 0.3 * table
