"""How learning rates fall, as far as several recipes share it."""

import math


def half_cosine(epoch: float, epochs: int) -> float:
    """Return a factor that falls from 1 at the start to 0 when all epochs are done, slowest at both ends."""
    return (1 + math.cos(math.pi * epoch / epochs)) / 2
