"""Linear interpolation of weights between the start and the end of a training."""

from collections.abc import Mapping

from torch import Tensor


def interpolate_weights(
    start: Mapping[str, Tensor], end: Mapping[str, Tensor], start_share: float
) -> dict[str, Tensor]:
    """Return ``start_share`` of the start, the rest of the end; rows that the start lacks are the end's."""
    weights = {}
    for name, last in end.items():
        first, mixed = start[name].to(last), last.clone()
        if last.is_floating_point():
            rows = mixed[: len(first)] if last.dim() else mixed
            rows += start_share * (first - rows)
        weights[name] = mixed
    return weights
