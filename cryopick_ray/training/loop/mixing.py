"""Weights between those that a training began with and those that it ended with."""

from collections.abc import Mapping

from torch import Tensor


def between(start: Mapping[str, Tensor], end: Mapping[str, Tensor], start_share: float) -> dict[str, Tensor]:
    """Return weights on the line between two models; rows that the first lacks are the second's."""
    found = {}
    for name, last in end.items():
        first, part = start[name].to(last), last.clone()
        if last.is_floating_point():
            rows = part[: len(first)] if last.dim() else part
            rows += start_share * (first - rows)
        found[name] = part
    return found
