"""Settings that are drawn anew for each micrograph: a number, or a range ``[low, high]``."""

import math
from typing import Annotated, Any

import numpy as np
from pydantic import AfterValidator, BeforeValidator
from pydantic_core import PydanticCustomError


def _as_pair(value: Any) -> Any:
    """Let one number stand for a range of no width; leave the rest for pydantic to judge."""
    pair = (value, value) if isinstance(value, int | float) else value
    if not isinstance(pair, list | tuple) or len(pair) != 2 or any(isinstance(v, bool) for v in pair):
        raise PydanticCustomError("range", "Expected a number or [low, high]")
    return tuple(pair)


def between(lowest: float, highest: float) -> AfterValidator:
    """Return pydantic metadata that keeps both ends of a range from ``lowest`` to ``highest``."""

    def check(pair: tuple[float, float]) -> tuple[float, float]:
        low, high = pair
        if not (math.isfinite(low) and math.isfinite(high)):
            raise PydanticCustomError("range", "Expected finite numbers")
        if low > high:
            raise PydanticCustomError("range", "Expected low <= high in [low, high]")
        if low < lowest or high > highest:
            limits = {"lowest": f"{lowest:g}", "highest": f"{highest:g}"}
            raise PydanticCustomError("range", "Expected numbers from {lowest} to {highest}", limits)
        return pair

    return AfterValidator(check)


Range = Annotated[tuple[float, float], BeforeValidator(_as_pair), between(-1e9, 1e9)]
"""Any finite numbers."""
PositiveRange = Annotated[Range, between(1e-9, 1e9)]
"""Sizes: above zero, so that they may be drawn evenly in their logarithm."""
NonNegativeRange = Annotated[Range, between(0, 1e9)]
"""Amounts: zero means none."""
FractionRange = Annotated[Range, between(0, 1)]
"""Shares of a whole."""
CountRange = Annotated[tuple[int, int], BeforeValidator(_as_pair), between(0, 100_000)]
"""Whole numbers of things."""


def draw(rng: np.random.Generator, between: tuple[float, float]) -> float:
    """Draw a number evenly from ``between``; equal ends give that number."""
    low, high = between
    return float(low + (high - low) * rng.uniform())


def draw_log(rng: np.random.Generator, between: tuple[float, float]) -> float:
    """Draw a size evenly in its logarithm, so that small and large are as frequent: for sizes above 0."""
    low, high = between
    return float(low * (high / low) ** rng.uniform())


def draw_count(rng: np.random.Generator, between: tuple[int, int]) -> int:
    """Draw a whole number, both ends included."""
    low, high = between
    return int(rng.integers(low, high, endpoint=True))
