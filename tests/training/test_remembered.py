"""What is shown beside a target: a few simulated micrographs, in the share asked for."""

import pytest

from cryopick_ray.engine.events import Silence
from cryopick_ray.engine.serial import SerialEngine
from cryopick_ray.training.data.remembered import MOLECULES, mixed, remembered
from cryopick_ray.training.training_settings import LearnSettings


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5])
@pytest.mark.parametrize("own", [1, 7, 100])
def test_the_others_have_about_their_share(own, share):
    names = tuple(range(own)), tuple(range(1000, 1006))
    shown = mixed(*names, share)
    counts = [shown.count(name) for part in names for name in part]
    assert min(counts) > 0
    assert len(set(counts[:own])) == len(set(counts[own:])) == 1
    others = sum(name >= 1000 for name in shown) / len(shown)
    assert share / 1.5 < others < share * 1.5


def test_without_others_or_a_share_the_own_are_all():
    assert mixed((1, 2), (), 0.2) == mixed((1, 2), (3,), 0) == (1, 2)


def test_each_molecule_is_seen_at_the_scale_that_is_learned_and_made_once(tmp_path):
    settings = LearnSettings(network="topaz", options={"particle_px": 10})
    rows = remembered(settings, tmp_path, SerialEngine(), Silence())
    assert sorted(row.molecule for row in rows) == sorted(MOLECULES)
    for row in rows:
        assert row.simulated
        assert len(row.particles) > 3
        assert row.diameter_A / row.row.pixel_size_A == pytest.approx(10, rel=0.01)
    made = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.mrc")}
    again = remembered(settings, tmp_path, SerialEngine(), Silence())
    assert [row.row for row in again] == [row.row for row in rows]
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.mrc")} == made
