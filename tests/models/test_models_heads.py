"""Ordinal and plain heads: the mathematics, and that they learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_her2.models import expected_score
from napari_her2.models._heads import OrdinalHead, OrdinalLogits, probabilities_of


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), classes=st.integers(2, 6), size=st.floats(0.01, 30))
def test_thresholds_fall_and_probabilities_are_some(seed: int, classes: int, size: float) -> None:
    torch.manual_seed(seed)
    head = OrdinalHead(5, classes)
    for parameter in head.parameters():
        torch.nn.init.normal_(parameter, std=size)
    out = head(torch.randn(7, 5))
    assert (out.cumulative.diff(dim=1) <= 1e-4 * size).all()
    shares = probabilities_of(out)
    assert shares.dtype == torch.float32
    assert shares.min() >= 0
    np.testing.assert_allclose(shares.sum(1).detach(), 1, atol=1e-5)


def test_the_link_gives_differences_of_its_steps() -> None:
    cumulative = torch.tensor([[2.0, 0.0, -1.0]])
    out = OrdinalLogits(cumulative, torch.zeros(1, 4))
    above = 1 / (1 + np.exp(-np.array([2.0, 0.0, -1.0])))
    link = np.array([1 - above[0], above[0] - above[1], above[1] - above[2], above[2]])
    np.testing.assert_allclose(probabilities_of(out)[0], (link + 0.25) / 2, atol=1e-6)


def test_halves_are_computed_as_floats() -> None:
    """Far classes of a confident link would be 0 or NaN in half precision."""
    out = OrdinalLogits(torch.tensor([[12.0, 11.0]]).half(), torch.tensor([[9.0, 0.0, -9.0]]).half())
    shares = probabilities_of(out)
    assert shares.dtype == torch.float32
    assert (shares > 0).all()
    np.testing.assert_allclose(probabilities_of(torch.tensor([[-20.0, 20.0]]).half()).sum(), 1, atol=1e-6)


def test_one_class_alone_is_a_sigmoid() -> None:
    np.testing.assert_allclose(probabilities_of(torch.tensor([[0.0], [2.0]])), [[0.5], [0.880797]], atol=1e-6)


def test_an_ordinal_head_learns_an_order() -> None:
    torch.manual_seed(0)
    target = torch.randint(0, 4, (256,))
    features = torch.cat([target[:, None] + 0.2 * torch.randn(256, 1), torch.randn(256, 3)], 1)
    head = OrdinalHead(4, 4)
    optimiser = torch.optim.Adam(head.parameters(), lr=0.1)
    losses = []
    for _ in range(120):
        optimiser.zero_grad()
        loss = OrdinalHead.loss(head(features), target)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    shares = probabilities_of(head(features)).detach().numpy()
    assert losses[-1] < losses[0] / 3
    assert (shares.argmax(1) == target.numpy()).mean() > 0.97
    assert np.corrcoef(expected_score(shares), target.numpy())[0, 1] > 0.97


@pytest.mark.parametrize(
    ("shares", "score"), [([1, 0, 0, 0], 0), ([0, 0, 0, 1], 3), ([0.25] * 4, 1.5), ([0, 0.5, 0.5, 0], 1.5)]
)
def test_expected_score(shares: list[float], score: float) -> None:
    assert expected_score(shares) == pytest.approx(score)
    assert expected_score([shares, shares]).shape == (2,)
