"""Work on several threads: in order, not far ahead, and left when nobody wants it any more."""

from __future__ import annotations

import threading
import time

import pytest

from napari_her2.threads import in_order


@pytest.mark.parametrize("threads", [1, 3, None])
def test_results_come_in_order(threads: int | None) -> None:
    def slow_first(n: int) -> int:
        time.sleep(0.02 * (n == 0))
        return n * n

    assert list(in_order(slow_first, range(9), threads)) == [n * n for n in range(9)]
    assert list(in_order(slow_first, [], threads)) == []


def test_little_is_begun_ahead_and_the_rest_is_left() -> None:
    begun: list[int] = []
    results = in_order(begun.append, range(100), 2)
    next(results)
    results.close()
    assert len(begun) <= 4


def test_two_work_at_once_and_an_error_comes_at_its_place() -> None:
    both = threading.Barrier(2, timeout=10)

    def meet(n: int) -> int:
        if n < 2:
            both.wait()
        if n == 2:
            raise ValueError("the third")
        return n

    results = in_order(meet, range(4), 2)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match="the third"):
        next(results)
