"""Mask classification: arithmetic against numpy, sizes, and a step of learning."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.models.small import MASKFORMER

from napari_her2.models import MaskFormerAdapter, blueprint, build_network
from napari_her2.models._maskformer import Segmenter, semantic


@pytest.fixture(scope="module")
def small() -> Segmenter:
    torch.manual_seed(0)
    return Segmenter(MaskFormerAdapter.model_validate(MASKFORMER), 3, 64)


@pytest.mark.parametrize("kind", [torch.float32, torch.float16, torch.bfloat16])
def test_the_sum_over_queries(kind: torch.dtype) -> None:
    torch.manual_seed(1)
    classes, masks = (torch.randn(2, 6, 4) * 3).to(kind), (torch.randn(2, 6, 8, 8) * 4).to(kind)
    got = semantic(classes, masks, (8, 8))
    logits, ink = classes.double().numpy(), masks.double().numpy()
    shares = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    sums = np.einsum("nqc,nqhw->nchw", shares[..., :-1], 1 / (1 + np.exp(-ink)))
    assert got.dtype == torch.float32
    np.testing.assert_allclose(got, sums / sums.sum(1, keepdims=True), atol=2e-5)
    np.testing.assert_allclose(got.sum(1), 1, atol=1e-6)


def test_enlarging_the_sum_is_summing_enlarged_masks() -> None:
    torch.manual_seed(2)
    classes, masks = torch.randn(1, 5, 4), torch.randn(1, 5, 8, 8)
    got = semantic(classes, masks, (32, 32))
    large = torch.nn.functional.interpolate(masks.sigmoid(), size=(32, 32), mode="bilinear")
    sums = torch.einsum("nqc,nqhw->nchw", classes.softmax(-1)[..., :-1], large)
    torch.testing.assert_close(got, sums / sums.sum(1, keepdim=True), atol=2e-5, rtol=0)


def test_what_no_query_claims_is_background() -> None:
    classes = torch.zeros(1, 3, 4)
    classes[..., 2] = 8.0
    masks = torch.full((1, 3, 4, 4), -60.0)
    masks[..., 2:] = 60.0
    got = semantic(classes, masks, (4, 4))
    assert torch.isfinite(got).all()
    assert (got.argmax(1)[..., :2] == 0).all()
    assert (got.argmax(1)[..., 2:] == 2).all()


def test_tiny_products_survive() -> None:
    """Of two factors of 1e-5 half precision would leave nothing, and the background would win."""
    classes = torch.tensor([[[0.0, 6.0, 0.0]]]).half()
    masks = torch.full((1, 1, 2, 2), -9.0).half()
    assert semantic(classes, masks, (2, 2)).argmax(1).eq(1).all()


def test_patches_of_other_sizes_pass_too(small: Segmenter) -> None:
    with torch.inference_mode():
        assert small.eval().probabilities(torch.randn(1, 3, 96, 64)).shape == (1, 3, 96, 64)


def test_mini_fits_into_the_package_and_tiny_is_the_larger() -> None:
    mini = build_network(blueprint("segment-mini"))
    weights = sum(p.numel() for p in mini.parameters())
    stored = sum(t.numel() * (2 if t.is_floating_point() else t.itemsize) for t in mini.state_dict().values())
    assert 7.5e6 < weights < 8.5e6
    assert stored < 25e6


def test_a_stem_sees_across_the_borders_of_patches() -> None:
    adapter = MaskFormerAdapter.model_validate({**MASKFORMER, "stem": 16})
    plain = MaskFormerAdapter.model_validate(MASKFORMER)
    encoders = [Segmenter(one, 3, 64).core.model.pixel_level_module.encoder for one in (plain, adapter)]
    embeds = [encoder.model.embeddings.patch_embeddings.projection for encoder in encoders]
    dark = torch.zeros(1, 3, 64, 64)
    dot = dark.clone()
    dot[..., 32, 32] = 1  # in patch (8, 8)
    seen = [(embed(dot) - embed(dark)).abs().amax(1)[0] > 1e-4 for embed in embeds]
    assert [tuple(one.shape) for one in seen] == [(16, 16)] * 2
    assert seen[0].nonzero().tolist() == [[8, 8]]
    assert seen[1][7, 8]
    assert Segmenter(adapter, 3, 64).probabilities(dot).shape == (1, 3, 64, 64)


def test_it_learns_one_picture() -> None:
    torch.manual_seed(1)
    model = Segmenter(MaskFormerAdapter.model_validate(MASKFORMER), 3, 64).train()
    pixels = torch.randn(1, 3, 64, 64) * 0.1
    pixels[..., 32:] += 1.5
    masks = torch.zeros(2, 64, 64)
    masks[0, :, :32], masks[1, :, 32:] = 1, 1
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
    losses = []
    for _ in range(160):
        optimiser.zero_grad()
        loss = model.loss(pixels, [masks], [torch.tensor([0, 2])])
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
        if losses[-1] < losses[0] / 3:
            break
    with torch.inference_mode():
        out = model.eval().probabilities(pixels)[0]
    assert losses[-1] < losses[0] / 3
    assert (out.argmax(0)[:, :28] == 0).float().mean() > 0.95
    assert (out.argmax(0)[:, 36:] == 2).float().mean() > 0.95


def test_every_decoder_layer_but_the_first_state_has_a_loss() -> None:
    """With more layers there is more loss; the state before the first layer would add a constant."""
    torch.manual_seed(0)
    masks, classes = [torch.ones(1, 64, 64)], [torch.tensor([1])]
    losses = []
    for layers in (1, 3):
        adapter = MaskFormerAdapter.model_validate({**MASKFORMER, "decoder_layers": layers})
        with torch.no_grad():
            losses.append(Segmenter(adapter, 3, 64).loss(torch.zeros(1, 3, 64, 64), masks, classes).item())
    assert 2 * losses[0] < losses[1] < 4 * losses[0]
