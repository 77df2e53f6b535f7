"""What is measured of a model without labels falls when the model gets worse."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from manifest_row import manifest_row

from cryopick_ray.pickers.log import LogPicker
from cryopick_ray.pickers.picker import Candidates
from cryopick_ray.runs.evidence import agreement, steadiness
from cryopick_ray.store.store import MicrographStore, StoredPixels
from cryopick_ray.training.data.examples import LabelledRow

CENTRES = np.float32([[x, y] for x in range(30, 180, 30) for y in range(30, 150, 30)])
DIAMETER_PX = 16


@dataclass
class Off:
    """The blob detector, its places off by a part of a diameter, any way."""

    off: float
    picker: LogPicker = field(default_factory=lambda: LogPicker(DIAMETER_PX))

    @property
    def particle_px(self):
        return self.picker.particle_px

    def pick(self, image):
        found = self.picker.pick(image)
        seed = abs(int(image.sum() * 1000))  # another way in another image, as a wall is hit by chance
        way = np.random.default_rng(seed).uniform(0, 2 * np.pi, len(found))
        reach = np.float32(self.off * DIAMETER_PX)
        x, y = found.x + reach * np.cos(way), found.y + reach * np.sin(way)
        return Candidates(x.astype(np.float32), y.astype(np.float32), found.score)


@pytest.fixture
def rows(tmp_path):
    """Two micrographs of dark discs in noise, labelled."""
    url = str(tmp_path / "store.zarr")
    store = MicrographStore(url, create=True)
    grid = np.mgrid[:160, :200]
    image = np.zeros((160, 200), np.float32)
    for x, y in CENTRES:
        image -= np.hypot(grid[0] - y, grid[1] - x) <= DIAMETER_PX / 2
    made = []
    for seed in range(2):
        noise = 0.3 * np.random.default_rng(seed).standard_normal(image.shape, np.float32)
        row = manifest_row(f"m{seed}", "complete")
        size = {"source_height_px": 160, "source_width_px": 200, "height_px": 160, "width_px": 200}
        row = replace(row, **size, shard_bytes=store.write(f"m{seed}", StoredPixels(image + noise, 0, 1)))
        made.append(
            LabelledRow(url, row, "d", 2.0 * DIAMETER_PX, DIAMETER_PX, 1, CENTRES, *[np.empty((0, 2))] * 2)
        )
    return made


def test_agreement_is_of_places_and_scores(rows):
    """1 for what the labels say; less where places are off by less than what counts as found; 0 of none."""
    assert agreement(Off(0), rows) == pytest.approx(1, abs=0.01)
    assert agreement(Off(0.4), rows) < 0.05
    empty = [replace(row, particles=np.empty((0, 2), np.float32)) for row in rows]
    assert agreement(Off(0), empty) == 0


def test_picks_that_chance_places_are_not_steady(rows):
    steady = steadiness(Off(0), rows, 0)
    assert steady > 0.7
    assert steadiness(Off(0), rows, 0) == steady
    assert steadiness(Off(0.3), rows, 0) < steady / 2
