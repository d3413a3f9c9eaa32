"""How a network is made from a spec: one small frozen model per kind, bounded so that none is absurd."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

__all__ = [
    "TIMM_OPTIONS",
    "Adapter",
    "MaskFormerAdapter",
    "OnnxAdapter",
    "Pooling",
    "TimmAdapter",
    "TorchScriptAdapter",
]

TIMM_OPTIONS = frozenset(
    {
        *("img_size", "patch_size", "embed_dim", "depth", "num_heads", "mlp_ratio", "init_values"),
        *("reg_tokens", "no_embed_class", "dynamic_img_size", "mlp_layer", "act_layer", "qkv_bias"),
        *("class_token", "pre_norm", "global_pool"),
    }
)
"""Arguments of timm's models that a spec may set."""
LARGEST_OPTION = 8192
MOST_LAYERS = 128

Size = Annotated[int, Field(ge=1, le=4096)]
Four = tuple[Size, Size, Size, Size]
Pooling = Literal["default", "token", "avg", "token+avg"]
TimmName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_]{0,99}$")]


class _Adapter(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    tasks: ClassVar[tuple[str, ...]] = ()


class TimmAdapter(_Adapter):
    """A timm model by name, with a head of our own.

    Attributes
    ----------
    model : str
        Plain name without source: ``hf-hub:`` and the like are refused, nothing is downloaded.
    options : dict
        Arguments for timm, only those in :data:`TIMM_OPTIONS`.
    pooling : {"default", "token", "avg", "token+avg"}
        What becomes the feature vector: timm's own pooling, the class token, the mean of the patch
        tokens, or both side by side.
    head : {"linear", "ordinal"}
    """

    tasks: ClassVar[tuple[str, ...]] = ("classify", "ordinal")
    kind: Literal["timm"] = "timm"
    model: TimmName
    options: dict[str, bool | int | float | str] = Field(default_factory=dict)
    pooling: Pooling = "token"
    head: Literal["linear", "ordinal"] = "linear"

    @model_validator(mode="after")
    def _sane(self) -> Self:
        unknown = sorted(set(self.options) - TIMM_OPTIONS)
        if unknown:
            raise ValueError(f"option {unknown[0]!r} is not allowed")
        for name, value in self.options.items():
            if not isinstance(value, str | bool) and not 0 <= value <= LARGEST_OPTION:
                raise ValueError(f"option {name!r} is {value}, which is out of range")
        if self.options.get("depth", 1) > MOST_LAYERS:  # type: ignore[operator]
            raise ValueError(f"depth is above {MOST_LAYERS}")
        return self


class MaskFormerAdapter(_Adapter):
    """MaskFormer of transformers from its own configuration, with a Swin backbone.

    Attributes
    ----------
    embed_dim, depths, heads, window
        Of the backbone (patch 4): width of the first stage, and per stage blocks and heads.
    fpn, mask_features : int
        Widths of the pixel decoder; a multiple of 32 for its group norm.
    decoder_layers, decoder_dim, decoder_heads, queries : int
        Of the transformer decoder.
    stem : int
        Channels of a convolution before the backbone, which sees thin lines that a linear embedding of
        4 px learns slowly; a multiple of 8. 0 is Swin's own embedding.
    """

    tasks: ClassVar[tuple[str, ...]] = ("segment",)
    kind: Literal["maskformer"] = "maskformer"
    embed_dim: Size
    depths: Four
    heads: Four
    window: Size
    fpn: Size
    mask_features: Size
    decoder_layers: Size
    decoder_dim: Size
    decoder_heads: Size = 8
    queries: Size
    stem: Annotated[int, Field(ge=0, le=256)] = 0

    @model_validator(mode="after")
    def _divides(self) -> Self:
        if sum(self.depths) + self.decoder_layers > MOST_LAYERS:
            raise ValueError(f"more than {MOST_LAYERS} layers")
        if self.fpn % 32 or self.stem % 8 or self.decoder_dim % (2 * self.decoder_heads):
            raise ValueError("fpn must be a multiple of 32, stem of 8 and decoder_dim of twice decoder_heads")
        if any(self.embed_dim * 2**k % heads for k, heads in enumerate(self.heads)):
            raise ValueError("heads must divide the width of their stage")
        return self

    @classmethod
    def mini(cls) -> Self:
        """8.0 M parameters, 15 MB in half precision: for CPUs."""
        return cls(
            embed_dim=48, depths=(2, 2, 4, 2), heads=(2, 4, 8, 16), window=8, fpn=128, mask_features=128,
            decoder_layers=3, decoder_dim=128, queries=20,
        )  # fmt: skip

    @classmethod
    def tiny(cls) -> Self:
        """Swin-tiny with the decoder of the MaskFormer paper, 39 M parameters: for accelerators."""
        return cls(
            embed_dim=96, depths=(2, 2, 6, 2), heads=(3, 6, 12, 24), window=8, fpn=256, mask_features=256,
            decoder_layers=6, decoder_dim=256, queries=50,
        )  # fmt: skip


class TorchScriptAdapter(_Adapter):
    """A TorchScript archive. It holds code, so it runs only after its hash was trusted."""

    tasks: ClassVar[tuple[str, ...]] = ("classify", "ordinal", "segment")
    kind: Literal["torchscript"] = "torchscript"
    outputs: Literal["logits", "probabilities"] = "logits"


class OnnxAdapter(_Adapter):
    """An ONNX graph with one input (n, 3, h, w) and one output, run by onnxruntime."""

    tasks: ClassVar[tuple[str, ...]] = ("classify", "ordinal", "segment")
    kind: Literal["onnx"] = "onnx"
    outputs: Literal["logits", "probabilities"] = "logits"


Adapter = Annotated[
    TimmAdapter | MaskFormerAdapter | TorchScriptAdapter | OnnxAdapter, Field(discriminator="kind")
]


def adapter_name(adapter: Any) -> str:
    """Return how messages call it."""
    return adapter.model if isinstance(adapter, TimmAdapter) else str(adapter.kind)
