"""Every setting of a run: given by option and in YAML alike, heard by a stage, told when it changes."""

import itertools

import pytest
import typer.main
import yaml

from cli.main import app
from cryopick_ray.errors import UsageError
from cryopick_ray.pickers.scoring import fast_precision
from cryopick_ray.settings.config import load_settings, over, to_yaml
from cryopick_ray.settings.cut_settings import CUTS
from cryopick_ray.settings.engine_settings import EngineSettings
from cryopick_ray.settings.leaves import AGAIN, FREE, OF_PICKS, OF_STORE, called, differences, leaves
from cryopick_ray.settings.run_settings import RunSettings
from cryopick_ray.stages.pick import _digest

OTHER = {
    "inputs": ["/other"],
    "diameter_A": 150.5,
    "model": "log",
    "pixel_size_A": 1.25,
    "threshold": 0.5,
    "precision": 0.9,
    "expect": 250.0,
    "masks": "/masks",
    "keep_junk": True,
    "any_image": True,
    "pictures": False,
    "selection.edge_A": 40.0,
    "selection.min_distance_A": 90.0,
    "selection.smallest_A": 80.0,
    "selection.largest_A": 130.0,
    "selection.most_picks": 400,
    "selection.exclude_micrographs": "bad",
    "selection.curation": ["/decisions.csv", "/curation"],
    "selection.classes": ["/classes.csv", "/more.csv"],
    "selection.keep_classes": "good",
    "filaments.filament": True,
    "filaments.width_A": 120.0,
    "filaments.spacing_A": 33.0,
    "filaments.rise_A": 27.5,
    "particle_px": 24.0,
    "invert": "yes",
    "exact": True,
    "pattern": "2024",
    "exclude": ["bad*", "a,b.mrc"],
    "limit": 7,
    "store_pixel_size_A": 3.5,
    "movies.gain": "/gain.mrc",
    "movies.gain_rot": 3,
    "movies.gain_flip": 2,
    "movies.dose_per_frame_e_A2": 1.1,
    "movies.binning": 2.0,
    "movies.defects": "/defects.txt",
    "movies.first_frame": 2,
    "movies.last_frame": 9,
    "movies.eer_grouping": 30,
    "movies.eer_upsampling": 2,
    "movies.align": False,
    "movies.group_frames": 3,
    "archive.image_set": "2",
    "archive.connections": 2,
    "archive.bandwidth_MB_s": 1.5,
    "archive.disk_GB": 10.0,
    "relion_project": "/project",
    "optics.voltage_kV": 200.0,
    "optics.spherical_aberration_mm": 2.0,
    "optics.amplitude_contrast": 0.07,
    "threads": 2,
    "dtype": "float32" if fast_precision(on_gpu=False) == "bfloat16" else "bfloat16",
}
"""A value of each that is not the default."""
OF_FILAMENTS = ("filaments.width_A", "filaments.spacing_A", "filaments.rise_A")
LEAVES = {name: field for name, field, _ in leaves(RunSettings)}
HEARD = {
    "the picks": lambda run: run.pick,
    "the store": lambda run: run.ingest(2.0),
    "the list of micrographs": lambda run: (run.inputs, run.which),
    "the table": lambda run: (run.cut, run.masks, run.keep_junk, run.any_image, run.selection),
    "the pictures": lambda run: run.pictures,
    "STAR files": lambda run: run.optics,
    "the archive": lambda run: run.archive,
}
"""What the stages of a run are handed."""


def base(name):
    """Return plain settings to which one is added: some ask for others."""
    of_archive = name.startswith("archive.")
    traced = {"filaments": {"filament": True}} if name in OF_FILAMENTS else {}
    inputs = ["empiar:10017" if of_archive else "/data"]
    return {"inputs": inputs, "diameter_A": 100.0, "relion_project": "/", **traced}


def nested(name, value):
    for part in reversed(name.split(".")):
        value = {part: value}
    return value


def text(value):
    if isinstance(value, list):
        return yaml.safe_dump(value, default_flow_style=True)
    return str(value).lower() if isinstance(value, bool) else str(value)


def on_the_command_line(*arguments):
    run = typer.main.get_command(app).commands["run"]
    values = run.make_context("run", ["--out", "o", *arguments]).params
    return run.arguments(values)


def test_there_is_a_value_for_every_setting():
    assert OTHER.keys() == LEAVES.keys()


@pytest.mark.parametrize("name", LEAVES)
def test_a_setting_means_the_same_on_the_command_line_and_in_yaml(name):
    value, option = OTHER[name], called(name, LEAVES[name])
    wanted = nested(name, value)
    ways = [[f"--set={name}={text(value)}"]]
    if option == "INPUT":
        ways.append(value)
    elif option and value is True:
        ways.append([option])
    elif option and value is False:
        ways.append([option.replace("--", "--no-")])
    elif option:
        ways.append([f"{option}={text(one)}" for one in (value if isinstance(value, list) else [value])])
    for way in ways:
        told = on_the_command_line(*way)["settings"]
        assert load_settings(over(base(name), told)) == load_settings(over(base(name), wanted))
    settings = load_settings(over(base(name), wanted))
    assert settings != load_settings(base(name))
    assert load_settings(yaml.safe_load(to_yaml(settings))) == settings


@pytest.mark.parametrize(
    ("given", "inputs", "invert"),
    [
        (["in", "--invert"], ["in"], "yes"),
        (["--invert", "in"], ["in"], "yes"),
        (["--invert", "--", "no"], ["no"], "yes"),
        (["in", "--", "--invert"], ["in", "--invert"], None),
        (["--invert", "--diameter", "133", "in"], ["in"], "yes"),
        (["--invert", "no", "in"], ["in"], "no"),
        (["--invert=auto", "in"], ["in"], "auto"),
        (["in", "--invert", "maybe"], ["in", "maybe"], "yes"),
        (["in", "--set=invert=true"], ["in"], "true"),
    ],
)
def test_an_option_that_may_stand_alone_takes_no_input_for_its_value(given, inputs, invert):
    told = on_the_command_line(*given)["settings"]
    assert (told["inputs"], told.get("invert")) == (inputs, invert)


@pytest.mark.parametrize("name", LEAVES)
def test_a_setting_is_heard_by_a_stage(name):
    before, after = (
        load_settings(data) for data in (base(name), over(base(name), nested(name, OTHER[name])))
    )
    assert any(hears(before) != hears(after) for hears in HEARD.values())


@pytest.mark.parametrize("name", LEAVES)
def test_a_setting_that_changes_what_is_there_is_told_when_a_run_goes_on(name):
    before, after = (
        load_settings(data) for data in (base(name), over(base(name), nested(name, OTHER[name])))
    )
    group = name.partition(".")[0]
    homes = [name in FREE, name in OF_PICKS, bool({name, group} & {*OF_STORE})]
    assert sum(homes) == 1
    told = differences(before, after)
    may_change = name in {*FREE, *AGAIN, "optics.voltage_kV"}
    assert told == [] if may_change else any(one.startswith(f"{name}: ") for one in told)


@pytest.mark.parametrize("name", LEAVES)
def test_the_digest_of_the_picks_holds_what_decides_them_and_nothing_else(name):
    before, after = (
        load_settings(data) for data in (base(name), over(base(name), nested(name, OTHER[name])))
    )
    assert (_digest(before.pick) != _digest(after.pick)) == (name in OF_PICKS)


def test_the_voltage_counts_where_movies_are_weighted_by_their_dose():
    dose = {"movies": {"dose_per_frame_e_A2": 1.0}}
    before, after = (load_settings(base("x") | dose | {"optics": {"voltage_kV": kV}}) for kV in (300, 200))
    assert differences(before, after) == ["optics.voltage_kV: 300.0 -> 200.0"]


def test_what_is_of_an_archive_alone_is_refused_elsewhere():
    with pytest.raises(UsageError, match=r"`archive.image_set`: only of an EMPIAR entry"):
        load_settings({"inputs": ["/data"], "archive": {"image_set": "2"}})


def test_where_to_run_comes_from_the_command_line_or_the_environment_alone(monkeypatch):
    names = {name for name, _, _ in leaves(EngineSettings)}
    assert not names & LEAVES.keys()
    monkeypatch.setenv("CRYOPICK_ADDRESS", "10.0.0.1:6379")
    assert on_the_command_line("/data")["engine"] == {"address": "10.0.0.1:6379"}
    assert on_the_command_line("/data", "--address=auto")["engine"] == {"address": "auto"}


def test_a_file_never_says_which_cluster_is_joined():
    told = []
    settings = load_settings(base("x") | {"engine": {"address": "10.6.6.6:6379"}}, told.append)
    assert settings == load_settings(base("x"))
    assert told == ["where to run (engine) is left out of the settings: it is said anew each time"]
    assert "10.6.6.6" not in to_yaml(settings)


def test_settings_of_earlier_versions_are_read():
    old = {"movies": {"voltage_kV": 300.0, "pixel_size_A": None}, "archive": {"pattern": "*_DW.mrc"}}
    assert load_settings(base("x") | old).pattern == "*_DW.mrc"


def test_the_numbers_of_a_network_were_once_called_precision():
    assert load_settings(base("x") | {"precision": "float32"}) == load_settings(
        base("x") | {"dtype": "float32"}
    )
    with pytest.raises(UsageError, match="`precision` is 'float16'"):
        load_settings(base("x") | {"precision": "float16"})


@pytest.mark.parametrize("names", list(itertools.combinations(CUTS, 2)))
def test_two_ways_to_cut_are_refused_by_name(names):
    one, other = names
    two = {name: OTHER[name] for name in names}
    with pytest.raises(UsageError, match=rf"`{one}` {OTHER[one]:g} and `{other}` {OTHER[other]:g}: each"):
        load_settings(base("x") | two)
    assert load_settings(base("x") | two | {one: RunSettings.model_fields[one].default})


def test_a_setting_without_an_option_is_named_by_its_full_name():
    from cli.spelling import in_options, speak_of

    run = typer.main.get_command(app).commands["run"]
    run.make_context("run", ["--out", "o", "x"])
    speak_of(run)
    assert in_options("give `movies.first_frame`, `movies.gain` or `limit`") == (
        "give --set movies.first_frame=, --gain or --limit"
    )
