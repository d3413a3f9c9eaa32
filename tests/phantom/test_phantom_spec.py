"""What may be asked of a phantom, and its own statement of the guideline."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_her2.errors import UsageError
from napari_her2.phantom import MIX_KEYS, TYPICAL_MIXES, PhantomSpec, guideline_score
from napari_her2.scoring import apply_rule
from napari_her2.vocabulary import SCORES

WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("too small", {"size_um": (199.0, 400.0)}, "200"),
    ("too large", {"size_um": (400.0, 60_000.0)}, "50000"),
    ("not a size", {"size_um": (float("nan"), 400.0)}, "200"),
    ("mix of 99.98", {"mix": {"3+": 10, "0": 89.98}}, "99.98"),
    ("mix of 101", {"mix": {"3+": 11, "0": 90}}, "101"),
    ("unknown class", {"mix": {"4+": 100}}, "4\\+"),
    ("negative share", {"mix": {"3+": -1, "0": 101}}, "0 to 100"),
    ("share that is no number", {"mix": {"3+": float("nan"), "0": 100}}, "0 to 100"),
    ("score", {"score": "4+"}, "no score"),
    ("missing", {"missing": 0.9}, "missing fraction"),
    ("shrink", {"shrink": -0.1}, "shrinkage"),
    ("in situ", {"in_situ": 1.0}, "in-situ"),
    ("warp", {"warp_um": -1.0}, "warp"),
    ("warp beyond the tissue", {"size_um": (250.0, 900.0), "warp_um": 40.0}, "warp"),
    ("rotation", {"rotate_deg": 400.0}, "rotation"),
    ("seed", {"seed": -1}, "seed"),
    ("levels", {"levels": 9}, "levels"),
]


@pytest.mark.parametrize(("wishes", "words"), [w[1:] for w in WRONG], ids=[w[0] for w in WRONG])
def test_what_cannot_be_drawn_is_refused_in_one_sentence(wishes: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        PhantomSpec(**wishes)
    assert len(str(caught.value)) <= 500
    assert caught.value.exit_code == 2


def test_a_mix_may_be_a_hundredth_off_and_leave_classes_out() -> None:
    spec = PhantomSpec(mix={"3+": 10.01, "0": 89.98})
    assert spec.percent == {"3+": 10.01, "2+": 0.0, "unusual": 0.0, "1+": 0.0, "0": 89.98}


@pytest.mark.parametrize("score", SCORES)
def test_a_typical_mix_has_its_score(score: str) -> None:
    counts = {key: round(10 * value) for key, value in PhantomSpec(score=score).percent.items()}  # type: ignore[arg-type]
    assert sum(counts.values()) == 1000
    assert guideline_score(counts) == score
    assert TYPICAL_MIXES[score] is not None  # type: ignore[index]


BOUNDARIES = [
    # 3+, 2+, unusual, 1+, 0 → score
    ((100, 0, 0, 0, 900), "2+"),
    ((101, 0, 0, 0, 899), "3+"),
    ((10, 0, 0, 0, 990), "2+"),
    ((9, 0, 0, 0, 991), "0"),
    ((29, 0, 0, 0, 2871), "2+"),
    ((28, 0, 0, 0, 2872), "0"),
    ((0, 100, 0, 0, 900), "0"),
    ((0, 101, 0, 0, 899), "2+"),
    ((0, 60, 41, 0, 899), "2+"),
    ((0, 0, 100, 0, 900), "0"),
    ((0, 60, 30, 11, 899), "1+"),
    ((0, 0, 0, 100, 900), "0"),
    ((0, 0, 0, 101, 899), "1+"),
    ((0, 0, 0, 0, 1000), "0"),
    ((0, 0, 0, 0, 0), "0"),
]


@pytest.mark.parametrize(("counts", "score"), BOUNDARIES)
def test_the_guideline_at_its_boundaries(counts: tuple[int, ...], score: str) -> None:
    assert guideline_score(dict(zip(MIX_KEYS, counts, strict=True))) == score


NAMES = (
    "complete_intense",
    "complete_weak_moderate",
    "incomplete_moderate_intense",
    "incomplete_faint",
    "none",
)


@settings(deadline=None)
@given(st.tuples(*[st.integers(0, 400) for _ in MIX_KEYS]).filter(lambda counts: sum(counts) >= 100))
def test_two_statements_of_the_guideline_agree(counts: tuple[int, ...]) -> None:
    theirs = apply_rule(dict(zip(NAMES, counts, strict=True)))
    assert guideline_score(dict(zip(MIX_KEYS, counts, strict=True))) == theirs.score


def test_the_room_is_light_until_something_is_drawn() -> None:
    code = "import sys, napari_her2.phantom; print({'numba', 'cv2', 'scipy', 'zarr'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
