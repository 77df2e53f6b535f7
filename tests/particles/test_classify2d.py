"""A whole classification: its classes, its files, going on, and what is refused."""

import json

import boxed
import mrcfile
import numpy as np
import pytest
import starfile

from cryopick_ray.engine.events import Silence
from cryopick_ray.engine.ray_engine import RayEngine
from cryopick_ray.engine.serial import SerialEngine
from cryopick_ray.engine.sizing import PoolSize
from cryopick_ray.errors import PicksError, UsageError
from cryopick_ray.particles.classes import classification
from cryopick_ray.particles.classes import classification_settings as class_settings
from cryopick_ray.particles.classes.classification_settings import ClassSettings
from cryopick_ray.particles.particle_star import read_particles
from cryopick_ray.passes.bad_classes import read_classes
from cryopick_ray.runs import particle_look
from cryopick_ray.runs.classified import classify2d

GIVEN = {"classes": 4, "iterations": 8, "diameter_A": 150.0, "resolution_A": 16.0}


def settings(path, **given):
    return ClassSettings(particles=path, **{**GIVEN, **given})


def classified(path, out, *, engine=None, **given):
    asked = {name: given.pop(name) for name in ("resume", "keep") if name in given}
    return classify2d(
        settings(path, **given), out, engine or SerialEngine(), Silence(), device="cpu", **asked
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return a set of two kinds and junk, what is true of it, and what it was classified to."""
    folder = tmp_path_factory.mktemp("set")
    path, kind = boxed.two_kinds(folder, n=300, junk=60)
    out = folder / "classes"
    return path, kind, out, classified(path, out, keep="good")


def files_of(out):
    """Return what classes are, without the model, which names its own folder."""
    wanted = [path for path in out.iterdir() if path.suffix in (".star", ".mrcs", ".csv")]
    return {one.name: one.read_bytes() for one in wanted if not one.name.endswith("_model.star")}


def test_kinds_come_into_classes_of_their_own(made):
    _, kind, _, outcome = made
    label = outcome.classes.label
    is_particle = kind != "junk"
    right = sum(
        max(np.sum(kind[is_particle & (label == one)] == name) for name in ("long", "bent"))
        for one in range(GIVEN["classes"])
    )
    assert right > 0.9 * is_particle.sum()


def test_particles_rank_before_noise(made):
    _, kind, _, outcome = made
    share = {one: np.mean(kind[outcome.classes.label == one] != "junk") for one in outcome.classes.ranking}
    best = outcome.classes.ranking[0]
    assert share[best] > 0.8
    assert outcome.classes.quality[best] != "junk"


def test_relions_columns_say_where_each_particle_lies(made):
    path, _, out, outcome = made
    found = starfile.read(out / "run_it008_data.star")
    given = starfile.read(path)
    assert found["optics"].equals(given["optics"])
    rows = found["particles"]
    assert rows["rlnImageName"].tolist() == given["particles"]["rlnImageName"].tolist()
    assert rows["rlnClassNumber"].tolist() == (outcome.classes.label + 1).tolist()
    assert rows["rlnMaxValueProbDistribution"].between(0, 1).all()
    assert np.hypot(rows["rlnOriginXAngst"], rows["rlnOriginYAngst"]).max() < 0.2 * GIVEN["diameter_A"]
    with mrcfile.open(out / "run_it008_classes.mrcs") as stack:
        assert stack.data.shape == (4, boxed.BOX_PX, boxed.BOX_PX)
        assert stack.voxel_size.x == pytest.approx(boxed.PIXEL_SIZE_A)


def test_kept_are_the_particles_of_classes_that_are_good_enough(made):
    _, _, out, outcome = made
    good = {number + 1 for number, one in enumerate(outcome.classes.quality) if one == "good"}
    rows = starfile.read(out / "run_it008_data.star")["particles"]
    wanted = rows[rows["rlnClassNumber"].isin(good)]
    assert outcome.kept == len(wanted)
    if outcome.kept:
        kept = starfile.read(out / "kept.star", always_dict=True)["particles"]
        assert kept["rlnImageName"].tolist() == wanted["rlnImageName"].tolist()


def test_the_table_of_picks_can_take_the_classes(made):
    path, _, out, outcome = made
    given = starfile.read(path)["particles"]
    found = read_classes(out / "classes.csv")
    assert sum(len(one.places) for one in found.values()) == len(given)
    first = found["mics/0.mrc"]
    assert first.places[0].tolist() == [given["rlnCoordinateX"][0], given["rlnCoordinateY"][0]]
    assert first.class_number[0] == outcome.classes.label[0] + 1


def test_page_and_json_tell_all_classes(made):
    _, _, out, outcome = made
    told = json.loads((out / "classes.json").read_text())
    assert told["classes"] == outcome.classes.rows()
    assert (
        sum(one["particles"] for one in told["classes"]) == 300 == sum(told["particles_by_quality"].values())
    )
    page = (out / "classes.html").read_text()
    assert page.count("data:image/png;base64,") == len(outcome.classes.ranking)


def test_nothing_to_go_on_from_is_left(made):
    assert not [path.name for path in made[2].iterdir() if path.name.startswith(".")]


def test_two_workers_make_what_one_makes(tmp_path):
    path, _ = boxed.two_kinds(tmp_path, n=80)
    given = {"classes": 2, "iterations": 2}
    classified(path, tmp_path / "one", **given)
    with RayEngine(
        size=PoolSize(2, 2), threads=1, gpus_per_worker=1.0, wants_gpus=False, address=None
    ) as engine:
        classified(path, tmp_path / "two", engine=engine, **given)
    assert files_of(tmp_path / "two") == files_of(tmp_path / "one")


def test_a_stopped_classification_goes_on_to_the_same_end(made, tmp_path, monkeypatch):
    path, _, out, _ = made
    count = iter(range(100))

    def stops(*given):
        if next(count) == 4:
            raise KeyboardInterrupt
        return write(*given)

    write = classification.write_model
    monkeypatch.setattr(classification, "write_model", stops)
    with pytest.raises(KeyboardInterrupt):
        classified(path, tmp_path, keep="good")
    monkeypatch.setattr(classification, "write_model", write)
    with pytest.raises(UsageError, match="`resume`"):
        classified(path, tmp_path)
    with pytest.raises(UsageError, match=r"seed: 0 -> 1.*choose another `out`"):
        classified(path, tmp_path, resume=True, seed=1)
    classified(path, tmp_path, resume=True, keep="good")
    assert files_of(tmp_path) == files_of(out)


def test_a_stopped_classification_of_other_particles_is_begun_anew(tmp_path, monkeypatch):
    path, _ = boxed.two_kinds(tmp_path, n=60)
    given = {"classes": 2, "iterations": 3}

    def stops(*_):
        raise KeyboardInterrupt

    write = classification.write_model
    monkeypatch.setattr(classification, "write_model", stops)
    with pytest.raises(KeyboardInterrupt):
        classified(path, tmp_path / "gone on", **given)
    monkeypatch.setattr(classification, "write_model", write)
    boxed.two_kinds(tmp_path, n=50, seed=1)
    gone_on = classified(path, tmp_path / "gone on", resume=True, **given)
    assert any("begun anew" in note for note in gone_on.notes)
    classified(path, tmp_path / "at once", **given)
    assert files_of(tmp_path / "gone on") == files_of(tmp_path / "at once")


def test_a_look_at_more_particles_is_taken_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(class_settings, "PARTICLES_A_CLASS", 10)
    monkeypatch.setattr(particle_look, "ITERATIONS", 2)
    for count in (60, 70):
        path, _ = boxed.two_kinds(tmp_path / "set", n=count)
        found = particle_look.sorted_into_classes(
            read_particles(path), tmp_path, 130.0, SerialEngine(), Silence(), device="cpu"
        )
        assert (len(found.classes.quality), len(found.classes.label)) == (count // 10, count)


@pytest.mark.parametrize(("largest_A", "is_rest"), [(2.9, True), (3.1, False)])
def test_places_are_those_of_picks_where_origins_are_what_rounding_left(made, tmp_path, largest_A, is_rest):
    given = starfile.read(made[0])
    given["optics"]["rlnMicrographPixelSize"] = 1.5
    rows = given["particles"]
    rows["rlnOriginXAngst"], rows["rlnOriginYAngst"] = 1.2, -2.1
    rows.loc[7, "rlnOriginXAngst"] = largest_A
    rows["rlnImageName"] = rows["rlnImageName"].str.replace("@", f"@{made[0].parent}/")
    starfile.write(given, tmp_path / "moved.star")
    found = read_particles(tmp_path / "moved.star").picked_px
    boxes = rows[["rlnCoordinateX", "rlnCoordinateY"]].to_numpy()
    assert np.allclose(found[0], boxes[0] + ([-0.8, 1.4] if is_rest else [0, 0]))


def test_a_model_names_its_averages_as_one_word(tmp_path):
    path, _ = boxed.two_kinds(tmp_path, n=40)
    classified(path, tmp_path / "with a blank", classes=2, iterations=2)
    model = starfile.read(tmp_path / "with a blank" / "run_it002_model.star")
    assert model["model_classes"]["rlnReferenceImage"].str.endswith("_classes.mrcs").all()


def test_origins_given_are_composed_with_shifts_found(made, tmp_path):
    path, _, out, _ = made
    given = starfile.read(path)
    with mrcfile.open(path.parent / "particles.mrcs") as file:
        images = np.array(file.data)
    # As if a program before us had found some particles farther from the middle than is searched.
    some = np.arange(300) % 10 == 0
    images[some] = np.roll(images[some], (-3, 4), axis=(1, 2))
    moved = boxed.write_set(tmp_path / "moved", images)
    names = ["rlnOriginXAngst", "rlnOriginYAngst"]
    origin_A = np.where(some[:, None], (-4 * boxed.PIXEL_SIZE_A, 3 * boxed.PIXEL_SIZE_A), 0.0)
    given["particles"][names] = origin_A
    starfile.write(given, moved)
    classified(moved, tmp_path / "out")
    before = starfile.read(out / "run_it008_data.star")["particles"]
    found = starfile.read(tmp_path / "out" / "run_it008_data.star")["particles"]
    off_A = np.hypot(*(found[names] - before[names] - origin_A).to_numpy().T)
    assert np.mean(off_A[some] < 1.0) > 0.8  # the particles themselves have not moved
    assert np.mean(off_A[~some] < 1.0) > 0.8


def test_particles_without_a_ctf_are_classified_and_that_is_told(tmp_path):
    rng = np.random.default_rng(5)
    pictures = np.stack(
        [boxed.turned(boxed.picture("bent"), rng.uniform(0, 360), rng.normal(0, 1, 2)) for _ in range(60)]
    )
    path = boxed.write_set(tmp_path, boxed.seen(pictures, None, rng, 0.3))
    outcome = classified(path, tmp_path / "out", classes=2, iterations=4)
    assert any("rlnDefocusU" in note for note in outcome.notes)
    best = outcome.classes.averages[outcome.classes.ranking[0]]
    assert best.max() > 0.5


def test_classes_are_as_many_as_particles_can_fill(made, tmp_path):
    counts = [ClassSettings(particles=made[0]).count(n) for n in (4, 200, 399, 800, 4000, 10**6)]
    assert counts == [2, 5, 5, 10, 50, 50]
    outcome = classified(made[0], tmp_path / "few", classes=None, iterations=1)
    assert len(outcome.classes.quality) == 5
    assert not any("in each" in note for note in outcome.notes)
    outcome = classified(made[0], tmp_path / "many", classes=50, iterations=1)
    (told,) = [note for note in outcome.notes if "in each" in note]
    assert "300 particles in 50 classes are 6 in each" in told
    assert "`classes` 5 suits them" in told


def test_too_few_particles_are_refused_before_anything_is_written(made, tmp_path):
    with pytest.raises(UsageError, match="300 particles for 200 `classes`"):
        classified(made[0], tmp_path / "out", classes=200)
    assert not (tmp_path / "out").exists()


def test_a_damaged_stack_ends_it_with_its_name(tmp_path):
    path, _ = boxed.two_kinds(tmp_path, n=40)
    stack = tmp_path / "particles.mrcs"
    stack.write_bytes(stack.read_bytes()[:-5000])
    with pytest.raises(PicksError, match=r"particles\.mrcs"):
        classified(path, tmp_path / "out", iterations=2)
