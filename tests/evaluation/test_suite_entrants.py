from dataclasses import replace

import numpy as np
import pytest

from cryopick_ray.errors import UsageError
from cryopick_ray.evaluation.truth import Truth
from cryopick_ray.pickers.catalogue import weights_file
from cryopick_ray.pickers.topaz.installed import installed_weights
from cryopick_ray.pickers.weights import load_model
from cryopick_ray.suite.cases import Case
from cryopick_ray.suite.entrants import entrants
from cryopick_ray.suite.sets import MicrographSet
from cryopick_ray.suite.suite_settings import suite_settings

FIELDS = {"name": "fields", "micrographs": ["m"], "diameter_A": 150}


def case(**settings):
    micrographs = MicrographSet(**settings)
    return Case(micrographs.name, "", micrographs, (), None, micrographs.diameter_A, is_empty=True)


def named(*models):
    return entrants(suite_settings({"models": models, "empty": [FIELDS]}))


def test_templates_meet_the_sets_whose_molecule_is_known_and_are_made_of_it(tmp_path):
    (template,) = named("template")
    assert not template.meets(case(**FIELDS))
    apoferritin = case(**FIELDS | {"molecule": "apoferritin"})
    assert template.meets(apoferritin)
    made = template.model_for(apoferritin, tmp_path)
    _, card = load_model(tmp_path / "templates" / "apoferritin-150A.safetensors")
    assert (made.particle_px, card.name) == (card.particle_px, "template-apoferritin")
    assert {data_set.molecule for data_set in made.trained_on.sets} == {"apoferritin"}
    written = (tmp_path / "templates").stat().st_mtime_ns
    assert template.model_for(apoferritin, tmp_path) == made
    assert (tmp_path / "templates").stat().st_mtime_ns == written


def test_a_model_meets_those_sets_only_that_it_is_meant_for():
    everywhere, there = named("log", {"name": "taught there", "seeds": ["log"], "only": ["fields"]})
    wanted, other = case(**FIELDS), case(**FIELDS | {"name": "elsewhere"})
    assert [everywhere.meets(wanted), everywhere.meets(other)] == [True, True]
    assert [there.meets(wanted), there.meets(other)] == [True, False]


def test_a_model_of_filaments_meets_those_and_one_of_particles_the_others():
    filaments, particles, template = named("heatmap-filament", "log", "template")
    segments = {"filament": np.array([0, 0, -1])}
    traced, pointed = (
        Truth("truth", {"a": np.zeros((3, 2))}, (), more=more) for more in ({"a": segments}, {})
    )
    fields = case(**FIELDS | {"molecule": "p97"})
    of_filaments, of_particles = (replace(fields, truth=truth, is_empty=False) for truth in (traced, pointed))
    unlabelled = replace(fields, is_empty=False)
    met = {
        model.name: [model.meets(one) for one in (of_filaments, of_particles, unlabelled, fields)]
        for model in (filaments, particles, template)
    }
    assert met == {
        "heatmap-filament": [True, False, False, True],
        "log": [False, True, True, True],
        "template": [False, True, True, True],
    }


def test_topazs_own_weights_are_found_where_it_is_installed():
    known = installed_weights()
    if not known:
        pytest.skip("topaz-em is not installed")
    (own,) = named("topaz:resnet8_u64")
    assert weights_file("topaz:resnet8_u64") == known["topaz:resnet8_u64"]
    assert own.model.trained_on.sets is None  # nobody recorded what Topaz learned from
    with pytest.raises(UsageError, match=r"no weights 'topaz:unet'.*topaz:resnet8_u64"):
        named("topaz:unet")


def test_without_topaz_its_weights_are_refused_with_the_remedy(monkeypatch):
    monkeypatch.setattr("cryopick_ray.pickers.topaz.installed.find_spec", lambda name: None)
    with pytest.raises(UsageError, match="install topaz-em"):
        named("topaz:resnet8_u64")
