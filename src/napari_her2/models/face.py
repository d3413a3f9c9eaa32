"""What inference asks of a model, whatever made it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_her2.models.spec import ModelSpec

__all__ = ["FeatureModel", "PatchModel"]


@runtime_checkable
class PatchModel(Protocol):
    """A ready model, which several threads may ask at the same time.

    Attributes
    ----------
    spec : ModelSpec
    """

    @property
    def spec(self) -> ModelSpec:
        """Facts of the model."""

    def predict(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probabilities of patches.

        Parameters
        ----------
        batch : ndarray of shape (n, size_px, size_px, 3), uint8

        Returns
        -------
        ndarray of shape (n, c) or, for segmentation, (n, c, size_px, size_px), float32
            0..1, summing to 1 over c; in float32 independent of what else is in the batch.
        """


@runtime_checkable
class FeatureModel(PatchModel, Protocol):
    """A model that also shows what it sees."""

    def features(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Feature vectors (n, d) of patches, from the layer before the head."""

    def predict_with_features(
        self, batch: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Probabilities and feature vectors of patches, for the price of the probabilities alone."""
