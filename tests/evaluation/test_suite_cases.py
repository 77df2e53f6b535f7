from cryopick_ray.engine.events import Silence
from cryopick_ray.engine.serial import SerialEngine
from cryopick_ray.suite.cases import prepare_cases
from cryopick_ray.suite.suite_settings import suite_settings


def test_pickers_find_out_by_themselves_that_simulated_particles_are_bright(tmp_path):
    small = {"height_px": 128, "width_px": 128, "scene": {"aggregates": 0}}
    some = {"molecules": ["rubisco"], "micrographs": 1, "particle_px": 24}
    stained = some | {"name": "stain", "invert": True, "settings": small | {"stain": {"probability": 1}}}
    groups = [some | {"name": "ice", "settings": small}, stained]
    settings = suite_settings({"models": ["log"], "simulated": groups})
    cases = prepare_cases(settings, tmp_path, SerialEngine(), Silence())
    assert [(case.name, case.settings.invert) for case in cases] == [
        ("rubisco-ice", "no"),
        ("rubisco-stain", "auto"),
    ]
