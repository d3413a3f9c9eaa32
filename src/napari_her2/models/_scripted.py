"""A TorchScript archive as a network. Imports torch: load it inside functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from napari_her2.errors import InferenceError
from napari_her2.models._heads import probabilities_of

if TYPE_CHECKING:
    from napari_her2.models.spec import ModelSpec

__all__ = ["ScriptedNetwork"]


class ScriptedNetwork(nn.Module):
    """Checks what comes out: (n, c) or (n, c, h, w) with as many classes as the spec names."""

    def __init__(self, archive: Any, spec: ModelSpec) -> None:
        super().__init__()
        self.archive = archive
        self._name, self._classes = spec.name, len(spec.classes)
        self._ready = getattr(spec.adapter, "outputs", "logits") == "probabilities"
        self._depth = 4 if spec.task == "segment" else 2

    def probabilities(self, pixels: Tensor) -> Tensor:
        """Probabilities of normalised pixels; logits go through softmax, one alone through sigmoid."""
        out = self.archive(pixels)
        if isinstance(out, Tensor) and out.ndim == 1 and self._classes == 1:
            out = out[:, None]
        if not isinstance(out, Tensor) or out.ndim != self._depth or out.shape[1] != self._classes:
            shape = tuple(out.shape) if isinstance(out, Tensor) else type(out).__name__
            raise InferenceError(
                f"{self._name} gives {shape}, but its spec names {self._classes} classes: correct the spec"
            )
        return out.float() if self._ready else probabilities_of(out)

    def features(self, pixels: Tensor) -> Tensor:
        """No layer before the head is known here."""
        return self.answers(pixels)[1]

    def answers(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """No layer before the head is known here."""
        raise InferenceError(f"{self._name} is TorchScript and shows no features: use a timm model for these")
