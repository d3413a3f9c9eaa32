"""How far the engine was wrong where the truth was known (benchmarks/cells_calibration.py)."""

from __future__ import annotations

from typing import Final

__all__ = ["ENGINE_BIAS_POINTS", "FALSE_FAINT_PERCENT", "FALSE_FAINT_UPPER_PERCENT"]

ENGINE_BIAS_POINTS: Final = 3.0
"""Greatest mean error of a class's percentage over the calibration phantoms, in points (provisional)."""

FALSE_FAINT_PERCENT: Final = 0.5
"""Unstained carcinoma cells that are given a faint membrane, in percent (provisional)."""

FALSE_FAINT_UPPER_PERCENT: Final = 2.0
"""Worst slide of that measurement, in percent (provisional)."""
