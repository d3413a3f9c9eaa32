"""A torch network behind the face of a patch model. Imports torch: load it inside functions."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from napari_her2.models.encoders import EncoderRecipe
    from napari_her2.models.precision import Precision
    from napari_her2.models.spec import ModelSpec

__all__ = ["PixelInput", "TorchEncoder", "TorchPatchModel"]


class PixelInput:
    """Patches as uint8 arrays to normalised tensors on a device, at a precision.

    Parameters
    ----------
    size_px : int
    mean, std : tuple of three float
        For pixels scaled to 0..1.
    device : str
        As torch names it.
    precision : {"float32", "bfloat16", "float16"}
        Below float32 by autocast: weights and outputs stay float32.
    """

    def __init__(
        self,
        size_px: int,
        mean: tuple[float, float, float],
        std: tuple[float, float, float],
        device: str,
        precision: Precision,
    ) -> None:
        self.size_px, self.device, self.precision = size_px, torch.device(device), precision
        self._mean = torch.tensor(mean, device=self.device).view(1, 3, 1, 1)
        self._scale = 1 / torch.tensor(std, device=self.device).view(1, 3, 1, 1)

    def __call__(self, batch: NDArray[np.uint8]) -> Tensor:
        """(n, size, size, 3) uint8 → (n, 3, size, size) float32; whole numbers travel to the device."""
        expected = (self.size_px, self.size_px, 3)
        if batch.dtype != np.uint8 or batch.shape[1:] != expected:
            raise ValueError(
                f"patches must be uint8 of shape (n, *{expected}), got {batch.dtype} {batch.shape}"
            )
        pixels = torch.from_numpy(np.ascontiguousarray(batch))
        if (
            self.device.type == "cuda"
        ):  # page-locked memory travels while the card computes (untested on a card)
            pixels = pixels.pin_memory()
        moved = pixels.to(self.device, non_blocking=self.device.type == "cuda").permute(0, 3, 1, 2)
        return (moved.float() / 255 - self._mean) * self._scale

    @contextmanager
    def running(self) -> Iterator[None]:
        """No gradients, and the precision asked for."""
        low = self.precision != "float32"
        kind = getattr(torch, self.precision) if low else None
        with torch.inference_mode(), torch.autocast(self.device.type, dtype=kind, enabled=low):
            yield


class TorchPatchModel:
    """A network with ``probabilities``, ``features`` and ``answers`` as a :class:`FeatureModel`.

    Attributes
    ----------
    spec : ModelSpec
    network : nn.Module
        In evaluation mode, on the device.
    """

    def __init__(self, spec: ModelSpec, network: nn.Module, device: str, precision: Precision) -> None:
        self.spec = spec
        self.input = PixelInput(spec.size_px, spec.mean, spec.std, device, precision)
        self.network = network.to(self.input.device).eval()

    def predict(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probabilities; see :class:`PatchModel`."""
        with self.input.running():
            out = self.network.probabilities(self.input(batch))
        return np.asarray(out.float().cpu().numpy())

    def features(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Feature vectors (n, d)."""
        with self.input.running():
            out = self.network.features(self.input(batch))
        return np.asarray(out.float().cpu().numpy())

    def predict_with_features(
        self, batch: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Probabilities, the same to the bit as those of ``predict``, and feature vectors (n, d)."""
        with self.input.running():
            out, features = self.network.answers(self.input(batch))
        return np.asarray(out.float().cpu().numpy()), np.asarray(features.float().cpu().numpy())


class TorchEncoder:
    """A published encoder: features, no classes.

    Attributes
    ----------
    recipe : EncoderRecipe
    network : nn.Module
        In evaluation mode, on the device.
    """

    def __init__(self, recipe: EncoderRecipe, network: nn.Module, device: str, precision: Precision) -> None:
        self.recipe = recipe
        self.input = PixelInput(recipe.size_px, recipe.mean, recipe.std, device, precision)
        self.network = network.to(self.input.device).eval()

    def features(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Feature vectors (n, d)."""
        with self.input.running():
            out = self.network(self.input(batch))
        return np.asarray(out.float().cpu().numpy())
