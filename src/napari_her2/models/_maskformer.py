"""MaskFormer for semantic segmentation. Imports torch and transformers: load it inside functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor, nn
from transformers import DetrConfig, MaskFormerConfig, MaskFormerForInstanceSegmentation, SwinConfig

if TYPE_CHECKING:
    from napari_her2.models.adapters import MaskFormerAdapter

__all__ = ["Segmenter", "semantic"]

NOWHERE: Final = 1e-6
"""Weight of the background where no query claims a pixel: sums of nothing must not decide."""


def configuration(adapter: MaskFormerAdapter, classes: int, size_px: int) -> MaskFormerConfig:
    """Return the model's own configuration; nothing is looked up anywhere."""
    stages = ["stage1", "stage2", "stage3", "stage4"]
    swin = SwinConfig(
        image_size=size_px, patch_size=4, embed_dim=adapter.embed_dim, depths=list(adapter.depths),
        num_heads=list(adapter.heads), window_size=adapter.window, drop_path_rate=0.0, out_features=stages,
    )  # fmt: skip
    decoder = DetrConfig(
        d_model=adapter.decoder_dim, decoder_layers=adapter.decoder_layers, num_queries=adapter.queries,
        decoder_attention_heads=adapter.decoder_heads, decoder_ffn_dim=4 * adapter.decoder_dim, dropout=0.0,
    )  # fmt: skip
    return MaskFormerConfig(
        fpn_feature_size=adapter.fpn, mask_feature_size=adapter.mask_features, backbone_config=swin,
        decoder_config=decoder, num_labels=classes, use_auxiliary_loss=True,
    )  # fmt: skip


def stem(channels: int, width: int) -> nn.Sequential:
    """Return an embedding of patches of 4 px that begins with a convolution of 7 px (Xiao et al. 2021)."""
    return nn.Sequential(
        nn.Conv2d(3, channels, 7, stride=2, padding=3, bias=False),
        nn.GroupNorm(8, channels),
        nn.GELU(),
        nn.Conv2d(channels, width, 2, stride=2),
    )


def semantic(classes: Tensor, masks: Tensor, shape: tuple[int, int]) -> Tensor:
    """Mask classification into one map per class: s_c(x) = Σ_i p_i(c) m_i(x), made to sum to 1.

    "No object" takes no part. All is done in float32: products of two small half-precision numbers
    vanish. Enlarging the sum equals summing enlarged masks, and is cheaper.

    Parameters
    ----------
    classes : Tensor of shape (n, queries, c + 1)
        Logits; the last is "no object".
    masks : Tensor of shape (n, queries, h, w)
        Logits.
    shape : tuple of int
        (rows, cols) of the result.

    Returns
    -------
    Tensor of shape (n, c, rows, cols), float32
        Class 0 is the background, which also takes what no query claims.
    """
    with torch.autocast(masks.device.type, enabled=False):
        shares = classes.float().softmax(-1)[..., :-1]
        sums = torch.einsum("nqc,nqhw->nchw", shares, masks.float().sigmoid())
        sums = nn.functional.interpolate(sums, size=shape, mode="bilinear", align_corners=False)
        sums = torch.cat([sums[:, :1] + NOWHERE, sums[:, 1:]], 1)
        return sums / sums.sum(1, keepdim=True)


class Segmenter(nn.Module):
    """Model M: pixels to one probability per class and pixel."""

    def __init__(self, adapter: MaskFormerAdapter, classes: int, size_px: int) -> None:
        super().__init__()
        self.core = MaskFormerForInstanceSegmentation(configuration(adapter, classes, size_px))
        if adapter.stem:
            embedding = self.core.model.pixel_level_module.encoder.model.embeddings.patch_embeddings
            embedding.projection = stem(adapter.stem, adapter.embed_dim)
        # transformers starts queries almost alike (0.02); hundreds of steps pass until they differ.
        nn.init.normal_(self.core.model.transformer_module.queries_embedder.weight, std=1.0)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of classes (n, queries, c + 1) and of masks (n, queries, h / 4, w / 4)."""
        out = self.core.model(pixels)
        return self._heads(out.transformer_decoder_last_hidden_state, out.pixel_decoder_last_hidden_state)

    def _heads(self, queries: Tensor, found: Tensor) -> tuple[Tensor, Tensor]:
        embedded = self.core.mask_embedder(queries)
        with torch.autocast(found.device.type, enabled=False):
            masks = torch.einsum("nqc,nchw->nqhw", embedded.float(), found.float())
        return self.core.class_predictor(queries).float(), masks

    def probabilities(self, pixels: Tensor) -> Tensor:
        """Probabilities (n, c, h, w), float32."""
        return self.answers(pixels)[0]

    def answers(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Probabilities (n, c, h, w), float32, and features (n, d)."""
        rows, cols = pixels.shape[-2:]
        out = self.core.model(pixels)
        heads = self._heads(out.transformer_decoder_last_hidden_state, out.pixel_decoder_last_hidden_state)
        return semantic(*heads, (rows, cols)), out.encoder_last_hidden_state.mean((2, 3))

    def features(self, pixels: Tensor) -> Tensor:
        """Mean of the backbone's last stage (n, d)."""
        maps = self.core.model.pixel_level_module.encoder(pixels).feature_maps
        return maps[-1].mean((2, 3))

    def loss(self, pixels: Tensor, masks: list[Tensor], classes: list[Tensor]) -> Tensor:
        """MaskFormer's loss with that of every decoder layer, for training.

        The first hidden state, which transformers would count as a layer, is left out: there all
        queries are still the same.

        Parameters
        ----------
        pixels : Tensor of shape (n, 3, h, w)
        masks : list of n tensors of shape (k, h, w), float
            One mask per class present.
        classes : list of n tensors of shape (k,), int64
        """
        out = self.core.model(pixels, output_hidden_states=True)
        found = out.pixel_decoder_last_hidden_state
        layers = [self._heads(queries, found) for queries in out.transformer_decoder_hidden_states[1:]]
        early = [{"class_queries_logits": c, "masks_queries_logits": m} for c, m in layers[:-1]]
        last_classes, last_masks = layers[-1]
        parts = self.core.get_loss_dict(last_masks, last_classes, masks, classes, early)
        return self.core.get_loss(parts)
