import math
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from manifest_row import manifest_row

from cryopick_ray import DEFAULT_MODEL
from cryopick_ray.errors import ModelError, UsageError
from cryopick_ray.micrographs.junk import Junk
from cryopick_ray.pickers.catalogue import read_card
from cryopick_ray.pickers.heatmap.networks import HeatmapNetwork
from cryopick_ray.pickers.picker import Candidates
from cryopick_ray.pickers.weights import ModelCard, load_model, save_model, weights_digest
from cryopick_ray.picks.reasons import Why
from cryopick_ray.picks.schema import MicrographPicks, PickedMicrograph
from cryopick_ray.picks.table import PickTable
from cryopick_ray.picks.write_table import write_table
from cryopick_ray.runs.own_labels import Grade, grade, labelled, picked_anew, recentred
from cryopick_ray.runs.run_folder import RunFolder
from cryopick_ray.runs.self_training import share_store
from cryopick_ray.runs.student import SELF, self_train_settings
from cryopick_ray.runs.target import target_of
from cryopick_ray.settings.config import load_settings, to_yaml
from cryopick_ray.store.manifest import publish_part, read_manifest
from cryopick_ray.store.store import MicrographStore
from cryopick_ray.training.data.examples import LabelledRow


def picks(name, score, status="complete", *, dataset="d", threshold=0.4):
    score = np.float32(score)
    places = np.arange(len(score), dtype=np.float32)
    micrograph = PickedMicrograph(name, dataset, name, (90, 110), 2.0, None, status, "")
    return MicrographPicks(
        micrograph, 10 + places, 50 - places, score, (score < threshold).astype(np.uint16), 60.0
    )


def counts(graded, dataset=None):
    """Return how many candidates have at least each grade."""
    own = [grades for one, grades in graded if dataset in (None, one.micrograph.dataset)]
    every = np.concatenate(own)
    return [int((every >= least).sum()) for least in (Grade.SURE, Grade.PICKED, Grade.UNSURE)]


@given(
    sizes=st.lists(st.integers(0, 40), min_size=1, max_size=6),
    cut=st.floats(0, 1),
    share=st.floats(0.05, 1),
    top=st.integers(1, 200),
    levels=st.sampled_from([2, 5, 10**6]),  # few levels: many candidates share a score
    seed=st.integers(0, 99),
)
def test_sure_picks_are_the_best_and_never_more_than_share_and_top(sizes, cut, share, top, levels, seed):
    rng = np.random.default_rng(seed)
    table = []
    for number, size in enumerate(sizes):
        score = np.sort(rng.integers(0, levels, size) / levels)[::-1]
        shift = 10 * (number % 2)  # the second data set's scores, and its threshold, are others
        one = picks(f"{number}", score + shift, dataset="ab"[number % 2], threshold=cut + shift)
        table.append(one)
    n_picked = {
        name: sum(int(p.picked.sum()) for p in table if p.micrograph.dataset == name) for name in "ab"
    }
    wanted = {name: int(share * count) for name, count in n_picked.items()}
    if not any(wanted.values()):
        with pytest.raises(UsageError, match=f"there are {sum(n_picked.values())} picks, too few"):
            grade(table, share=share, top=top)
        return
    graded = grade(table, share=share, top=top)
    assert counts(graded)[0] == min(sum(wanted.values()), top)
    for one, grades in graded:
        assert len(grades) == len(one.score)
        np.testing.assert_array_equal(grades >= Grade.PICKED, one.picked)
    for name in {one.micrograph.dataset for one in table}:
        own = [(one, grades) for one, grades in graded if one.micrograph.dataset == name]
        sure, picked, unsure = counts(own)
        total = sum(len(grades) for _, grades in own)
        assert abs(sure - wanted[name] * min(1, top / sum(wanted.values()))) < 1
        assert sure <= wanted[name]
        assert picked == n_picked[name]
        assert unsure == min(picked + sure // 2, total)
        score, every = (
            np.concatenate(part) for part in zip(*((one.score, g) for one, g in own), strict=True)
        )
        for worse, better in zip(list(Grade)[:-1], list(Grade)[1:], strict=True):
            below, above = score[every == worse], score[every == better]
            assert not len(below) or not len(above) or below.max() <= above.min()


def test_equal_scores_rank_by_place_and_not_by_micrograph():
    graded = grade([picks("a", [1, 1]), picks("b", [1, 1])], share=0.5, top=9)
    # places are (10, 50), (11, 49): the second has the lower y
    assert [grades.tolist() for _, grades in graded] == [[Grade.PICKED, Grade.SURE]] * 2


def test_a_data_set_of_low_scores_teaches_its_share_too():
    table = [
        picks("a", np.linspace(9, 8, 10), dataset="a", threshold=8),
        picks("b", np.linspace(1, 0, 20), dataset="b", threshold=0.5),
    ]
    graded = grade(table, share=0.6, top=100)
    assert counts(graded, "a") == [6, 10, 10]
    assert counts(graded, "b") == [6, 10, 13]
    assert counts(grade(table, share=0.6, top=7))[0] == 7


@pytest.mark.parametrize("n_picked", [0, 1])
def test_too_few_picks_teach_nothing(n_picked):
    with pytest.raises(UsageError, match=f"there are {n_picked} picks, too few to learn from"):
        grade([picks("a", [0.9, 0.1, 0.0][1 - n_picked :])], share=0.85, top=10_000)


@pytest.mark.parametrize("invert", ["auto", "yes", "no"])
def test_a_run_labels_its_own_micrographs(tmp_path, invert):
    run = RunFolder(tmp_path / "run")
    store = MicrographStore(run.store, create=True)
    publish_part(
        store.place, [manifest_row(*one) for one in (("a", "complete"), ("b", "complete"), ("c", "failed"))]
    )
    settings = load_settings({"inputs": ["x"], "diameter_A": 60, "invert": invert})
    table = [picks("a", [0.9, 0.8, 0.5, 0.3, 0.1]), picks("b", []), picks("c", [], "failed")]
    graded = grade(table, share=0.7, top=9)
    a, b = labelled(graded, run, settings, Grade.SURE)
    np.testing.assert_array_equal(a.particles, [[10, 50], [11, 49]])
    np.testing.assert_array_equal(a.unsure, [[12, 48], [13, 47]])
    assert len(a.false) == 0
    assert (a.row.micrograph_id, a.dataset, a.diameter_A, a.radius_A) == ("a", "d", 60, 30)
    assert a.sign == (-1 if invert == "yes" else 1)
    seen = [replace(one, micrograph=replace(one.micrograph, inverted=True)) for one in table]
    signed = labelled(grade(seen, share=0.7, top=9), run, settings, Grade.SURE)
    assert [one.sign for one in signed] == [-1, -1]
    assert a.store_url == run.store
    assert (b.row.micrograph_id, b.particles.shape, b.unsure.shape) == ("b", (0, 2), (0, 2))
    chosen_by, _ = labelled(graded, run, settings, Grade.PICKED)
    np.testing.assert_array_equal(chosen_by.particles, [[10, 50], [11, 49], [12, 48]])
    assert chosen_by.unsure.shape == (0, 2)  # a threshold found with picks left open would be too low


def test_a_second_run_sees_the_store_of_the_first(tmp_path):
    first, second = RunFolder(tmp_path / "all" / "one"), RunFolder(tmp_path / "all" / "deep" / "two")
    publish_part(MicrographStore(first.store, create=True).place, [manifest_row("a", "failed")])
    second.path.mkdir(parents=True)
    for _ in range(2):
        share_store(first, second)
        assert [path.name for path in (second.path / "store.zarr").iterdir()] == [
            path.name for path in (first.path / "store.zarr").iterdir()
        ]
    (tmp_path / "all").rename(tmp_path / "moved")  # both runs together
    moved = RunFolder(tmp_path / "moved" / "deep" / "two")
    assert list(read_manifest(MicrographStore(moved.store).place)) == ["a"]
    other = RunFolder(tmp_path / "other")
    publish_part(MicrographStore(other.store, create=True).place, [manifest_row("a", "failed")])
    with pytest.raises(UsageError, match=r"two does not learn from .*other"):
        share_store(other, moved)


def run_of(model, **changes):
    return load_settings({"inputs": ["x"], "diameter_A": 60, "model": str(model)} | changes)


@pytest.fixture
def model(tmp_path):
    """A heatmap's fresh weights, made for 20 pixels a diameter."""
    path, state = tmp_path / "mine.safetensors", HeatmapNetwork("heatmap", base=2).state_dict()
    card = ModelCard(
        name="mine",
        architecture="heatmap",
        parameters={"base": 2},
        particle_px=20,
        normalisation="heatmap",
        trained_on="nothing",
        licence="none",
        source="a test",
        date=date(2024, 1, 1),
        digest=weights_digest(state),
    )
    save_model(path, state, card)
    return path


def settings_of(run, *assignments, finest_px=math.inf, **given):
    return self_train_settings(run, given, assignments, finest_px=finest_px)


def test_a_model_learns_at_the_scale_that_its_run_picked_at(model):
    settings, (_, card) = settings_of(run_of(model), "epochs=3")
    assert (settings.network, settings.name, settings.epochs) == ("heatmap", "mine-self-trained", 3)
    assert (settings.share, settings.top, settings.teacher) == (0.85, 10_000, DEFAULT_MODEL)
    assert settings.options == {"particle_px": card.particle_px} == {"particle_px": 20}
    settings, _ = settings_of(run_of(model, particle_px=31), "options.crop_px=96")
    assert settings.options == {"particle_px": 31, "crop_px": 96}
    assert (
        settings_of(run_of(model, particle_px=31), "options.particle_px=31")[0].options["particle_px"] == 31
    )
    for run in (run_of(model), run_of(model, particle_px=31)):
        with pytest.raises(
            UsageError, match=r"options\.particle_px is 24.*the run picked with (20|31) pixels"
        ):
            settings_of(run, "options.particle_px=24")


def test_a_shipped_model_learns_under_its_name_from_itself():
    settings, (_, card) = settings_of(run_of(DEFAULT_MODEL))
    assert (settings.name, card.name) == (f"{DEFAULT_MODEL}-self-trained", DEFAULT_MODEL)
    assert (settings.options, settings.teacher) == ({"particle_px": card.particle_px}, SELF)


def test_what_a_person_says_goes_over_what_is_usual(model):
    settings, _ = settings_of(run_of(model), "rounds=5", "share=0.4", teacher="self", rounds=2)
    assert (settings.teacher, settings.rounds, settings.share) == ("self", 5, 0.4)
    assert settings_of(run_of(model), teacher="log")[0].teacher == "log"
    with pytest.raises(UsageError, match="there is no model 'nobody'"):
        settings_of(run_of(model), teacher="nobody")


@pytest.mark.parametrize("share", [float("nan"), 0, 1.5])
def test_a_wrong_share_is_refused(model, share):
    with pytest.raises(UsageError, match="`share` is"):
        settings_of(run_of(model), share=share)


@pytest.mark.parametrize(("finest_px", "scales"), [(math.inf, (0.5, 2)), (30, (2 / 3, 1.5)), (20.1, (1, 1))])
def test_a_student_learns_by_the_options_and_scales_of_its_card(model, finest_px, scales):
    """Scales as far as the store has the pixels, and even."""
    state, card = load_model(model)
    own = {"options": {"scale_jitter": 1.3, "batch": 5, "long_gone": 7}, "scales": (0.5, 2)}
    save_model(model, state, card.model_copy(update=own))
    settings, _ = settings_of(run_of(model), finest_px=finest_px)
    assert settings.options == {"particle_px": 20, "scale_jitter": 1.3}
    assert (settings.batch, settings.learning_rate) == (5, None)
    assert settings.scales == pytest.approx(scales)
    assert settings_of(run_of(model), "scales=1,1", "options.scale_jitter=1")[0].scales == (1, 1)


def test_a_preset_is_what_the_paper_says_and_of_its_network(model):
    settings, _ = settings_of(run_of("deeppicker-general"), preset="deeppicker")
    assert (settings.teacher, settings.lowest, settings.top, settings.rounds) == (SELF, 0.5, 10_000, 1)
    assert (settings.simulated_share, settings.recentred, settings.fresh) == (0, False, False)
    settings, _ = settings_of(run_of("deepem-general"), preset="deepem", teacher=DEFAULT_MODEL)
    assert (settings.teacher, settings.fresh, settings.false_picks) == (DEFAULT_MODEL, True, True)
    card = read_card("deepem-general")
    assert settings.options == {"particle_px": card.particle_px, **card.parameters}
    with pytest.raises(UsageError, match=r"`preset` is deepem, and the run's model .* is of heatmap"):
        settings_of(run_of(model), preset="deepem")
    with pytest.raises(UsageError, match="`preset` is 'topaz'"):
        settings_of(run_of(model), preset="topaz")


def test_a_picker_without_a_network_cannot_learn():
    with pytest.raises(ModelError, match=r"log has no network that can learn; .*heatmap"):
        settings_of(run_of("log"))


@pytest.mark.parametrize("name", ["topaz", "nowhere.safetensors"])
def test_a_model_that_is_gone_is_said_to_be(name):
    with pytest.raises(ModelError, match=rf"model {name} is gone; put the file back"):
        settings_of(run_of(name))


def row_with(particles, unsure=()):
    return LabelledRow(
        store_url="",
        row=manifest_row("a", "complete"),
        dataset="d",
        diameter_A=40,  # 20 px
        radius_A=20,
        sign=1,
        particles=np.float32(particles).reshape(-1, 2),
        false=np.empty((0, 2), np.float32),
        unsure=np.float32(unsure).reshape(-1, 2),
    )


def test_labels_on_a_wall_move_to_the_middle_and_become_one():
    """The middle is what a smoothed map says; what is far from any peak stays."""
    row = row_with([[44, 50], [56, 50], [80, 80]], unsure=[[50, 58], [90, 20]])
    moved = recentred(row, Candidates(*np.float32([[50.5, 20], [50, 20], [0.9, 0.8]])))
    np.testing.assert_array_equal(moved.particles, [[50.5, 50], [80, 80]])
    np.testing.assert_array_equal(moved.unsure, [[90, 20]])
    none = recentred(row, Candidates(*np.empty((3, 0), np.float32)))
    np.testing.assert_array_equal(none.particles, row.particles)


def test_a_student_s_picks_take_the_place_of_the_run_s():
    found = {"a": Candidates(*np.float32([[1, 2], [3, 4], [0.7, 0.2]]))}
    (anew,) = picked_anew([picks("a", [0.9, 0.8])], found, 0.5)
    assert (anew.x_px.tolist(), anew.y_px.tolist(), anew.picked.tolist()) == ([1, 2], [3, 4], [True, False])
    (every,) = picked_anew([picks("a", [0.9, 0.8])], found, None)
    assert every.picked.all()
    on_junk = replace(picks("a", [0.9, 0.8]), junk=np.uint8([Junk.NONE, Junk.CARBON]))
    on_junk = on_junk.marked(Why.ON_JUNK, np.array([False, True]))
    (anew,) = picked_anew([on_junk], found, 0.5)
    assert anew.is_kept_out.tolist() == [False, False, True]
    assert (anew.x_px[2], anew.picked[2]) == (on_junk.x_px[1], False)


def test_a_student_finds_nothing_anew_where_a_person_decided():
    """The diameter is 30 px: half of it is how far a decision reaches."""
    before = replace(picks("a", [0.9, 0.8, 0.7]), more={"source": np.array(["", "hand", ""], object)})
    before = replace(before, x_px=np.float32([10, 50, 90]), y_px=np.float32([50, 50, 50]))
    before = before.marked(Why.REMOVED_BY_HAND, np.array([True, False, False]))
    found = Candidates(*np.float32([[12, 53, 90, 26], [50, 50, 50, 50], [0.9, 0.9, 0.9, 0.9]]))
    (anew,) = picked_anew([before], {"a": found}, 0.5)
    assert anew.x_px[anew.picked].tolist() == [90, 26, 50]
    assert anew.x_px[anew.has(Why.REMOVED_BY_HAND)].tolist() == [10]


def test_micrographs_that_are_excluded_teach_nothing(tmp_path, model):
    run = RunFolder(tmp_path / "run")
    ids = [f"{number}.mrc" for number in range(6)]
    rows = [manifest_row(name, "complete") for name in ids]
    publish_part(MicrographStore(run.store, create=True).place, rows)
    (run.path / "config.yaml").write_text(to_yaml(run_of(model)))
    table = [picks(name, [0.9, 0.8, 0.7]) for name in ids]
    table[1] = replace(picks(ids[1], []), micrograph=replace(table[1].micrograph, excluded=True))
    table[4] = table[4].marked(Why.EXCLUDED_MICROGRAPH, np.ones(3, bool))
    write_table(table, tmp_path / "table")
    target = target_of(run, {"teacher": "self"}, [])
    sample = target.sample(PickTable(tmp_path / "table"))
    split = target.split(sample, None)
    learned = {row.row.micrograph_id for row in split.training + split.validation}
    assert learned == {*ids} - {ids[1], ids[4]}
