"""A classifier of this project rebuilt with timm alone, for programs that read and batch by themselves."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import timm
import torch
from safetensors.torch import load_file

if TYPE_CHECKING:
    from pathlib import Path


class Classifier(torch.nn.Module):
    """Backbone, pooling and linear head of a spec's ``timm`` adapter; gives probabilities (n, c)."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        adapter = self.facts["adapter"]
        if (adapter["kind"], adapter["head"]) != ("timm", "linear") or adapter["pooling"] not in (
            "token",
            "avg",
            "default",
        ):
            sys.exit(f"{path.name}: only a timm model with a linear head can be rebuilt here")
        self.backbone = timm.create_model(
            adapter["model"], pretrained=False, num_classes=0, **adapter["options"]
        )
        self.pooling = adapter["pooling"]
        self.head = torch.nn.Linear(self.backbone.num_features, len(self.facts["classes"]))
        held = load_file(path.parent / self.facts["weights"])
        self.load_state_dict({name.removeprefix("body."): value.float() for name, value in held.items()})
        self.eval()

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Normalised pixels (n, 3, size, size) to probabilities (n, c)."""
        tokens = self.backbone.forward_features(pixels)
        if self.pooling == "default":
            features = self.backbone.forward_head(tokens)
        elif self.pooling == "token":
            features = tokens[:, 0]
        else:
            features = tokens[:, self.backbone.num_prefix_tokens :].mean(1)
        return self.head(features).float().softmax(1)

    def normalise(self) -> Any:
        """The usual transform of a picture to what the network takes."""
        from torchvision.transforms import v2

        return v2.Compose(
            [
                v2.ToImage(),
                v2.ToDtype(torch.float32, scale=True),
                v2.Normalize(self.facts["mean"], self.facts["std"]),
            ]
        )


def tell(seconds: float, starts_px: Any, probabilities: Any) -> None:
    """Print what the driver compares: time, and probability of the last class by corner (x, y)."""
    answers = [[int(x), int(y), float(p)] for (x, y), p in zip(starts_px, probabilities, strict=True)]
    print(json.dumps({"seconds": seconds, "answers": answers}))
