"""Splits by case: leaks are errors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_her2.errors import UsageError
from napari_her2.learning.splits import check_no_leak, split_cases


@given(
    st.sets(st.text(min_size=1, max_size=8), min_size=2, max_size=40),
    st.floats(0.01, 0.99),
    st.integers(0, 99),
)
def test_every_case_stands_in_one_split_and_both_have_some(cases: set[str], share: float, seed: int) -> None:
    splits = split_cases([*cases, *cases], share, seed)
    assert set(splits) == cases
    assert set(splits.values()) == {"train", "validation"}


def test_the_split_does_not_depend_on_the_order() -> None:
    names = [f"case{k}" for k in range(20)]
    assert split_cases(names, 0.3, 1) == split_cases(names[::-1], 0.3, 1)
    assert split_cases(names, 0.3, 1) != split_cases(names, 0.3, 2)
    assert sum(split == "validation" for split in split_cases(names, 0.3, 1).values()) == 6


def test_one_case_cannot_be_split() -> None:
    with pytest.raises(UsageError, match="1 case"):
        split_cases(["a", "a"], 0.2, 0)


LEAKS = {
    "case": ([("1.png", "A", "x")], [("2.png", "A", "y")], "case A"),
    "picture": ([("1.png", "A", "x")], [("2.png", "B", "x")], r"2\.png"),
}


@pytest.mark.parametrize(("train", "validation", "said"), LEAKS.values(), ids=LEAKS)
def test_a_leak_is_refused(
    train: list[tuple[str, str, str]], validation: list[tuple[str, str, str]], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        check_no_leak({"train": train, "validation": validation})


def test_twins_within_a_split_are_no_leak() -> None:
    check_no_leak({"train": [("1.png", "A", "x"), ("2.png", "B", "x")], "validation": [("3.png", "C", "z")]})
