"""A diameter is found by any workers, as one in this process finds it."""

from dataclasses import replace

import mrcfile
import pytest
import scipy.fft
import torch

from cryopick_ray.engine.events import SilentEvents
from cryopick_ray.engine.serial import SerialEngine
from cryopick_ray.micrographs.sources import list_sources
from cryopick_ray.pickers.heatmap.diameter import MANY
from cryopick_ray.settings.run_settings import IngestSettings
from cryopick_ray.simulate.phantom import make_phantom
from cryopick_ray.stages import diameter_worker
from cryopick_ray.stages.diameter_worker import DiameterTask, DiameterWorker
from cryopick_ray.stages.find_diameter import FIRST, end_of_ladder, find_diameter

PIXEL_SIZE_A = 4.0


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Three micrographs, and one that nobody can read between them."""
    folder = tmp_path_factory.mktemp("sources")
    for seed in (1, 3, 4):
        made = make_phantom(
            seed,
            shape=(240, 252),
            pixel_size_A=PIXEL_SIZE_A,
            diameter_A=150.0,
            particles=5,
            signal_to_noise=0.1,
        )
        mrcfile.write(folder / f"{seed}.mrc", made.pixels, voxel_size=PIXEL_SIZE_A)
    (folder / "2.mrc").write_bytes(b"no micrograph")
    return list_sources([str(folder)], relion_project=folder)


@pytest.fixture(scope="module")
def crowded(tmp_path_factory):
    """Five micrographs of many particles."""
    folder = tmp_path_factory.mktemp("crowded")
    for number in range(5):
        made = make_phantom(
            number,
            shape=(560, 560),
            pixel_size_A=PIXEL_SIZE_A,
            diameter_A=150.0,
            particles=44,
            signal_to_noise=0.2,
        )
        mrcfile.write(folder / f"{number}.mrc", made.pixels, voxel_size=PIXEL_SIZE_A)
    return list_sources([str(folder)], relion_project=folder)


def sights(sources):
    return [DiameterTask(source, is_thorough=False) for source in sources]


def stage_of(count):
    return [(done, count) for done in range(count + 1)]


class Listener(SilentEvents):
    """Hears how far the stage of the diameter is."""

    def __init__(self):
        self.steps = []

    def stage(self, name, total, done=0, of="micrographs"):
        assert name == "diameter"
        self.steps.append((done, total))

    def report(self, name, report):
        done, total = self.steps[-1]
        self.steps.append((done + report.complete + len(report.failures), total))


def find(sources, engine, threads=1, invert="no"):
    listener = Listener()
    found = find_diameter(
        sources,
        IngestSettings(threads=threads),
        invert=invert,
        device="cpu",
        engine=engine,
        events=listener,
    )
    return found, listener.steps


@pytest.fixture(scope="module")
def dark(sources):
    """What is found in this process."""
    return find(sources, SerialEngine())[0]


def test_any_workers_find_the_same_and_tell_how_far_they_are(engine, sources, dark):
    """Too few particles to be clear: three are looked at, the fourth, then all that can be read again."""
    found, steps = find(sources, engine)
    assert steps == [*stage_of(3), *stage_of(1), *stage_of(3)]
    assert found.micrographs == ("1.mrc", "3.mrc", "4.mrc")
    assert found == dark


def test_a_few_are_enough_where_they_leave_no_doubt(crowded):
    found, steps = find(crowded, SerialEngine())
    assert steps == stage_of(FIRST)
    assert found.micrographs == ("0.mrc", "2.mrc", "4.mrc")
    assert found.is_sure
    assert found.particles >= MANY
    among_others = find([*crowded[:1], *crowded[2:3], *crowded[4:]], SerialEngine())[0]
    assert found == among_others


@pytest.mark.parametrize(("diameter_A", "end"), [(52, "smallest"), (120, ""), (300, ""), (900, "largest")])
def test_a_diameter_that_few_molecules_have_makes_the_pixel_size_doubtful(diameter_A, end):
    doubt = end_of_ladder(diameter_A)
    assert bool(doubt) == bool(end)
    assert end in doubt
    assert bool(end) == ("`pixel_size_A`" in doubt)


def test_the_estimate_takes_the_threads_it_is_given(sources, monkeypatch):
    seen = set()

    def look(*_):
        seen.add((torch.get_num_threads(), scipy.fft.get_workers()))
        return (), False

    monkeypatch.setattr(diameter_worker.DiameterSearch, "answers", look)
    before = torch.get_num_threads()
    worker = DiameterWorker(IngestSettings(threads=2), invert="no", device="cpu")
    report = worker.process(sights(sources))
    torch.set_num_threads(before)
    assert seen == {(2, 2)}
    assert (report.complete, [name for name, _ in report.failures]) == (3, ["2.mrc"])


def test_a_negative_has_the_diameter_of_its_micrograph_and_it_is_said(sources, dark, tmp_path):
    for source in sources[::2]:  # half of them
        mrcfile.write(tmp_path / source.micrograph_id, -mrcfile.read(source.path), voxel_size=PIXEL_SIZE_A)
    mixed = [*list_sources([str(tmp_path)], relion_project=tmp_path), *sources[1::2]]
    mixed.sort(key=lambda source: source.micrograph_id)
    found, _ = find(mixed, SerialEngine(), invert="auto")
    assert found == replace(dark, bright=2)
    assert "3 micrographs, 2 with bright particles" in found.text()
    assert find(sources, SerialEngine(), invert="auto")[0] == dark


def test_an_item_that_is_given_up_is_a_failure(sources):
    worker = DiameterWorker(IngestSettings(), invert="no", device="cpu")
    assert worker.give_up(sights(sources[:1]), "memory").failures == (("1.mrc", "memory"),)
    assert worker.process(sights(sources), lambda: True).undone == (0, 1, 2, 3)
