"""Data sets that a training simulates: named, planned before any work, and made once."""

import re

import mrcfile
import numpy as np
import pytest
import starfile
from no_engine import NoEngine

from cryopick_ray.engine.events import SilentEvents
from cryopick_ray.engine.serial import SerialEngine
from cryopick_ray.errors import UsageError
from cryopick_ray.simulate import library
from cryopick_ray.simulate.contamination import KINDS
from cryopick_ray.simulate.molecule_files import read_coordinates
from cryopick_ray.store.store import MicrographStore
from cryopick_ray.training.data.prepare import prepare_data
from cryopick_ray.training.training_settings import train_settings


class CountingEngine(SerialEngine):
    """Counts how often workers are brought together."""

    def __init__(self):
        self.sessions = 0

    def open_session(self, kinds):
        self.sessions += 1
        return super().open_session(kinds)


class Stages(SilentEvents):
    """Keeps what is said of each stage: its name, its micrographs, those done before and since."""

    def __init__(self):
        self.said = []

    def stage(self, name, total, done=0, of="micrographs"):
        self.said.append([name, total, done, 0])

    def report(self, name, report):
        assert name == self.said[-1][0]
        self.said[-1][3] += report.complete


TINY = {
    "height_px": 128,
    "width_px": 128,
    "scene": {"particles": 3},
    "microscope": {"defocus_A": 3000},
    "contamination": {kind: {"probability": 0} for kind in KINDS},
}


def simulated(folder, groups, engine=None, particle_px=12.0, events=None, **changes):
    """Prepare groups of molecules; each tells only how it differs from a small one."""
    small = {"molecules": ["rubisco"], "micrographs": 1, "particle_px": 16.0}
    groups = [small | group | {"settings": TINY | group.get("settings", {})} for group in groups]
    settings = train_settings({"network": "heatmap", "simulated": groups} | changes)
    return prepare_data(settings, particle_px, folder, engine or SerialEngine(), events or SilentEvents())


def pixels(data_set):
    row = data_set.rows[0]
    return MicrographStore(row.store_url).read(row.row)


def test_groups_of_one_molecule_with_names_of_their_own_are_data_sets_of_their_own(tmp_path):
    groups = [{}, {"name": "crowded", "settings": {"scene": {"particles": 6}}}, {"name": "again"}]
    made = simulated(tmp_path, groups)
    assert [data_set.settings.name for data_set in made] == ["rubisco", "rubisco-crowded", "rubisco-again"]
    assert [{row.dataset for row in data_set.rows} for data_set in made] == [
        {data_set.settings.name} for data_set in made
    ]
    assert [len(data_set.rows[0].particles) for data_set in made] == [3, 6, 3]
    assert len({data_set.rows[0].store_url for data_set in made}) == 3
    assert len({data_set.settings.diameter_A for data_set in made}) == 1
    assert not np.array_equal(pixels(made[0]), pixels(made[2]))


def test_no_two_molecules_lie_in_the_same_ice(tmp_path):
    """Of about one size, so that equal random numbers would show."""
    specks = {"specks": {"probability": 1, "number": 8}}
    settings = {"microscope": {"defocus_A": [1000, 3000]}, "contamination": specks}
    simulated(tmp_path, [{"molecules": ["rubisco", "hsp90"], "settings": settings}])
    masks = [mrcfile.read(path) > 0 for path in tmp_path.glob("simulated/*/masks/*")]
    assert all(mask.any() for mask in masks)
    assert (masks[0] & masks[1]).sum() < 0.5 * (masks[0] | masks[1]).sum()
    truth = [starfile.read(path)["particles"] for path in tmp_path.glob("simulated/*/truth/*")]
    assert abs(truth[0].rlnDefocusU[0] - truth[1].rlnDefocusU[0]) > 1
    places = [table[["rlnCoordinateX", "rlnCoordinateY"]].to_numpy() for table in truth]
    assert np.abs(places[0][0] - places[1][0]).max() > 1


def test_a_seed_makes_the_same_micrographs_whatever_else_is_simulated(tmp_path):
    alone = simulated(tmp_path / "alone", [{"seed": 3}])
    among = simulated(
        tmp_path / "among", [{"molecules": ["hsp90"]}, {"molecules": ["p97", "rubisco"], "seed": 3}]
    )
    other = simulated(tmp_path / "other", [{"seed": 4}])
    assert among[-1].settings.name == "rubisco"
    assert np.array_equal(pixels(alone[0]), pixels(among[-1]))
    assert not np.array_equal(pixels(alone[0]), pixels(other[0]))


@pytest.mark.parametrize("scales", [(1.0, 1.0), (0.7, 1.2), (1.25, 1.25)])
def test_a_store_is_as_fine_as_the_largest_scale_needs(tmp_path, scales):
    """And no finer: of 16 px that a simulated particle has, a store keeps what will be shown."""
    (data_set,) = simulated(tmp_path, [{}], scales=scales)
    assert data_set.rows[0].row.source_shape == (128, 128)
    assert data_set.rows[0].row.shape == (2 * round(64 * 12 * scales[1] / 16),) * 2


def test_particles_simulated_just_large_enough_are_enough(tmp_path):
    """Although 30 times 1.1 is a little more than 33 where numbers are rounded."""
    assert simulated(tmp_path, [{"particle_px": 33.0}], particle_px=30.0, scales=[0.9, 1.1])


@pytest.mark.parametrize(
    ("group", "words"),
    [
        ({"settings": {"ice": {"mean": 1}}}, r"simulated\.1 \(rubisco-b\): ice\.mean is not a setting"),
        ({"settings": {"scene": {"packing": 2}}}, r"simulated\.1\.settings\.scene\.packing is 2"),
        ({"settings": {"height_px": 10}}, r"simulated\.1\.settings\.height_px is 10"),
        (
            {"settings": {"scene": {"particles": 999}}},
            r"at most \d+ \(simulated\.1\.settings\.scene\.particles\)",
        ),
        ({"settings": {"scene": {"mixture": [1, 2]}}}, r"\(simulated\.1\.settings\.scene\.mixture\)"),
        (
            {"particle_px": 60, "settings": {"microscope": {"defocus_A": 1.9e5}}},
            r"a smaller simulated\.1\.settings\.microscope",
        ),
        ({"molecules": ["nothing"]}, r"simulated\.1: no molecule 'nothing'.* \(simulated\.1\.molecules\)"),
        ({"particle_px": 11.0}, r"simulated\.1\.particle_px is 11, too coarse"),
    ],
)
def test_what_is_wrong_with_any_group_is_told_before_any_work_and_where(tmp_path, group, words):
    with pytest.raises(UsageError, match=words) as caught:
        simulated(tmp_path / "out", [{}, {"name": "b"} | group], NoEngine())
    assert not {"--", "`"} & set(re.findall(r"--|`", str(caught.value)))
    assert not (tmp_path / "out").exists()


def test_workers_come_together_once_to_simulate_and_once_to_ingest_however_many_data_sets(tmp_path):
    groups = [{"molecules": ["rubisco", "hsp90"]}, {"name": "two", "micrographs": 2}]
    engine, stages = CountingEngine(), Stages()
    simulated(tmp_path, groups, engine, events=stages)
    assert engine.sessions == 2
    assert stages.said == [["simulate", 4, 0, 4], ["ingest", 4, 0, 4]]


def test_what_is_in_place_is_not_made_again_and_no_worker_comes_for_it(tmp_path):
    groups = [{"molecules": ["rubisco", "hsp90"]}, {"name": "two", "micrographs": 2}]
    first = simulated(tmp_path, groups)
    stages = Stages()
    again = simulated(tmp_path, groups, NoEngine(), events=stages)
    assert stages.said == [["simulate", 4, 4, 0], ["ingest", 4, 4, 0]]
    assert [[row.row for row in data_set.rows] for data_set in again] == [
        [row.row for row in data_set.rows] for data_set in first
    ]
    assert np.array_equal(pixels(again[2]), pixels(first[2]))
    (tmp_path / "simulated/hsp90/micrographs/simulated_000000.mrc").unlink()
    stages = Stages()
    simulated(tmp_path, groups, events=stages)
    assert [line[:2] + line[3:] for line in stages.said] == [["simulate", 4, 1], ["ingest", 4, 1]]


def test_another_simulation_in_a_data_sets_folder_is_refused_before_any_work(tmp_path):
    simulated(tmp_path, [{}])
    files = sorted(tmp_path.rglob("*"))
    changed = [{"name": "new"}, {"settings": {"scene": {"particles": 6}}}]
    with pytest.raises(
        UsageError, match=r"simulated\.1 \(rubisco\): .*rubisco holds a simulation with other"
    ):
        simulated(tmp_path, changed, NoEngine())
    assert sorted(tmp_path.rglob("*")) == files


def test_micrographs_that_cannot_be_made_are_told_with_their_data_set_and_the_others_are_made(tmp_path):
    in_the_way = tmp_path / "simulated/rubisco-barred/truth/simulated_000000.star"
    in_the_way.mkdir(parents=True)
    words = (
        r"simulated\.0 \(rubisco-barred\): 1 micrographs were not simulated; simulated_000000\.mrc: .*truth"
    )
    with pytest.raises(UsageError, match=words):
        simulated(tmp_path, [{"name": "barred"}, {}])
    assert (tmp_path / "simulated/rubisco/micrographs/simulated_000000.mrc").is_file()


def test_a_molecules_file_is_read_once_for_all_its_data_sets(tmp_path, monkeypatch):
    path = tmp_path / "two.pdb"
    atom = "ATOM  {0:5d}  CA  ALA A{0:4d}    {1:8.3f}{2:8.3f}{3:8.3f}  1.00 20.00           C\n"
    places = np.random.default_rng(0).uniform(-30, 30, (400, 3))
    path.write_text("".join(atom.format(number, *xyz) for number, xyz in enumerate(places, 1)) + "END\n")
    read = []
    monkeypatch.setattr(
        library, "read_coordinates", lambda source: read.append(source) or read_coordinates(source)
    )
    simulated(tmp_path / "out", [{"molecules": [str(path)]}, {"molecules": [str(path)], "name": "b"}])
    assert read == [path]
