"""Splits by case. What stands in two splits at once is an error, never a warning."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from napari_her2.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["check_no_leak", "fingerprint", "split_cases"]


def split_cases(cases: Iterable[str], share: float, seed: int) -> dict[str, str]:
    """Give each case to ``"train"`` or ``"validation"``.

    A case's place depends on its name and the seed alone as far as numbers allow, so that new cases do
    not move old ones much; both splits get at least one.

    Raises
    ------
    UsageError
        If there are fewer than two cases.
    """
    names = sorted(set(cases))
    if len(names) < 2:
        raise UsageError(
            f"the data hold {len(names)} case, training and validation need one each: add cases, or name "
            "them in a table patch,case,label"
        )
    order = sorted(names, key=lambda name: hashlib.sha256(f"{seed}/{name}".encode()).digest())
    count = min(max(1, round(share * len(names))), len(names) - 1)
    return {name: "validation" if k < count else "train" for k, name in enumerate(order)}


def fingerprint(pixels: Any) -> str:
    """Digest of a patch's pixels."""
    return hashlib.sha256(pixels.tobytes()).hexdigest()


def check_no_leak(splits: Mapping[str, Sequence[tuple[str, str, str]]]) -> None:
    """See that no case and no picture stands in two splits.

    Parameters
    ----------
    splits : mapping of split to (name, case, fingerprint)

    Raises
    ------
    UsageError
        Names the first leak.
    """
    cases: dict[str, str] = {}
    prints: dict[str, tuple[str, str]] = {}
    for split, patches in splits.items():
        for name, case, digest in patches:
            if cases.setdefault(case, split) != split:
                raise UsageError(f"case {case} stands in {cases[case]} and {split}: give each case to one")
            first, where = prints.setdefault(digest, (name, split))
            if where != split:
                raise UsageError(
                    f"{name} ({split}) is byte for byte {first} ({where}), so the splits leak: give both to "
                    "one case"
                )
