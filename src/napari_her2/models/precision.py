"""The precisions a network can run at."""

from __future__ import annotations

from typing import Final, Literal, get_args

__all__ = ["PRECISIONS", "Precision"]

Precision = Literal["float32", "bfloat16", "float16"]
PRECISIONS: Final[tuple[Precision, ...]] = get_args(Precision)
