import math

import numpy as np
import pytest
import torch

from cryopick_ray.micrographs.movies.dose import dose_weights

CPU = torch.device("cpu")
SHAPE = (16, 24)


def by_the_paper(k: float, dose: float, count: int, scale: float) -> list[float]:
    """Return each frame's weight at one frequency (Grant & Grigorieff 2015), one number at a time."""
    critical = math.inf if k == 0 else scale * (0.245 * k ** (-1.665) + 2.81)
    q = [math.exp(-(number + 1) * dose / (2 * critical)) for number in range(count)]
    norm = math.sqrt(count * math.fsum(weight * weight for weight in q))
    return [weight / norm for weight in q]


@pytest.mark.parametrize(("voltage_kV", "scale"), [(300, 1.0), (200, 0.8), (100, 0.64), (250, 0.9)])
def test_weights_are_those_of_the_paper(voltage_kV, scale):
    first, decay = dose_weights(SHAPE, 1.2, 1.3, 30, voltage_kV, CPU)
    for row in range(SHAPE[0]):
        for column in range(SHAPE[1] // 2 + 1):
            k = math.hypot((row if row <= 8 else row - 16) / 16, column / 24) / 1.2
            for number, weight in enumerate(by_the_paper(k, 1.3, 30, scale)):
                found = float(first[row, column]) * float(decay[row, column]) ** number
                assert found == pytest.approx(weight, rel=2e-4, abs=1e-12)


def test_noise_stays_that_of_the_plain_mean_and_the_mean_stays():
    first, decay = (part.double().numpy() for part in dose_weights(SHAPE, 1.0, 2.0, 25, 300, CPU))
    weights = np.stack([first * decay**number for number in range(25)])
    np.testing.assert_allclose((weights**2).sum(0), 1 / 25, rtol=1e-4)
    assert weights[:, 0, 0].sum() == pytest.approx(1, rel=1e-5)


def test_early_frames_count_more_at_high_frequency():
    first, decay = dose_weights(SHAPE, 1.0, 1.0, 40, 300, CPU)
    assert bool((decay <= 1).all())
    assert float(decay[0, 0]) == 1
    assert float(first[8, 12]) > 2 * float(first[0, 1])
