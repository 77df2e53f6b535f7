"""What the examples teach and measure with: settings that the simulator takes, and nothing in both."""

from pathlib import Path

import pytest

from cryopick_ray.pickers.registry import LEARNING
from cryopick_ray.settings.config import over, read_yaml
from cryopick_ray.simulate.library import list_molecules, load_molecule
from cryopick_ray.simulate.molecule_families import BROAD, broad_family
from cryopick_ray.simulate.simulation import plan_simulation
from cryopick_ray.simulate.simulation_settings import simulation_settings
from cryopick_ray.suite.suite_settings import suite_settings
from cryopick_ray.training.recipes.recipe_catalogue import make_recipe
from cryopick_ray.training.study import study_settings
from cryopick_ray.training.training_settings import SimulatedData, train_settings

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SHAPELESS = {"globular"}
"""No family: so small that nothing tells one kind from another."""
NEVER_TAUGHT = ["apoferritin", "small-shell", "shell", "betagal"]
"""What the real sets of the suite hold, and what looks like it."""


SUITES = ("10_suite.yaml", "15_comparison.yaml")


def suite(name):
    return suite_settings(read_yaml(EXAMPLES / name))


def groups(name):
    """Return the groups of simulated molecules of an example."""
    if name in SUITES:
        found = suite(name)
        return [*found.groups(), *(one for one in found.empty if isinstance(one, SimulatedData))]
    data = read_yaml(EXAMPLES / name)
    several = study_settings(data).networks.values() if "networks" in data else [train_settings(data)]
    return next(iter(several)).simulated


def molecules(some):
    return {load_molecule(molecule) for group in some for molecule in group.molecules}


@pytest.mark.parametrize("measured", SUITES)
@pytest.mark.parametrize("recipe", ["09_general.yaml", "11_general_real.yaml"])
def test_no_molecule_or_family_that_a_suite_measures_with_is_taught(recipe, measured):
    taught = molecules(groups(recipe))
    kept_out = molecules(suite(measured).groups())
    assert {one.name for one in taught & kept_out} == set()
    assert {one.family for one in taught} & {one.family for one in kept_out} <= SHAPELESS
    assert {one.name for one in taught}.isdisjoint(NEVER_TAUGHT)


def test_the_study_has_every_molecule_but_those_of_the_real_sets_and_all_networks():
    everything = {one.name for one in list_molecules()}
    taught = molecules(groups("14_families.yaml"))
    assert everything - {one.name for one in taught} == {"apoferritin", "betagal"}
    assert {broad_family(one.name) for one in taught} == BROAD.keys()
    networks = study_settings(read_yaml(EXAMPLES / "14_families.yaml")).networks
    assert networks.keys() == set(LEARNING) - {"filament"}
    for own in networks.values():
        assert make_recipe(own.network, own.options, []).particle_px * own.scales[1] <= min(
            group.particle_px for group in own.simulated
        )


def test_what_goes_on_with_real_particles_is_of_the_same_molecules():
    assert molecules(groups("11_general_real.yaml")) == molecules(groups("09_general.yaml"))


@pytest.mark.parametrize("name", ["09_general.yaml", "11_general_real.yaml", "14_families.yaml", *SUITES])
def test_every_group_of_an_example_can_be_simulated(name, tmp_path):
    for group in groups(name):
        for molecule in group.molecules:
            pixel_size_A = load_molecule(molecule).diameter_A / group.particle_px
            given = {"molecules": [molecule], "micrographs": 1, "pixel_size_A": pixel_size_A}
            plan_simulation(simulation_settings({**group.settings, **given}), tmp_path / "nothing")


def test_every_kind_that_is_compared_with_the_real_thing_can_be_simulated(tmp_path):
    for kind in read_yaml(EXAMPLES / "04_kinds.yaml")["kinds"]:
        given = kind["simulated"]
        data = read_yaml(EXAMPLES / given) if isinstance(given, str) else given
        settings = simulation_settings(over(data, kind.get("changes", {})))
        plan_simulation(settings.model_copy(update={"micrographs": 1}), tmp_path / "nothing")


@pytest.mark.parametrize("recipe", ["09_general.yaml", "10_suite.yaml", "11_general_real.yaml"])
def test_stained_particles_and_no_others_are_said_to_be_bright(recipe):
    for group in groups(recipe):
        assert group.invert == (group.settings.get("stain", {}).get("probability", 0) == 1), group.name
