from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from manifest_row import manifest_row
from scored_picks import picks

from cryopick_ray.errors import UsageError
from cryopick_ray.micrographs.junk import Junk
from cryopick_ray.pickers.picker import Candidates
from cryopick_ray.picks.reasons import Reason
from cryopick_ray.runs.run_folder import RunFolder
from cryopick_ray.runs.self_training.pseudo_labels import Grade, grade, labelled, recentred, repicked
from cryopick_ray.runs.self_training.self_training import share_store
from cryopick_ray.settings.config import load_settings
from cryopick_ray.store.manifest import publish_part, read_manifest
from cryopick_ray.store.store import MicrographStore
from cryopick_ray.training.data.examples import LabelledRow


def counts(graded, dataset=None):
    """Return how many candidates have at least each grade."""
    own = [
        grades
        for micrograph_picks, grades in graded
        if dataset in (None, micrograph_picks.micrograph.dataset)
    ]
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
        micrograph_picks = picks(f"{number}", score + shift, dataset="ab"[number % 2], threshold=cut + shift)
        table.append(micrograph_picks)
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
    for micrograph_picks, grades in graded:
        assert len(grades) == len(micrograph_picks.score)
        np.testing.assert_array_equal(grades >= Grade.PICKED, micrograph_picks.picked)
    for name in {micrograph_picks.micrograph.dataset for micrograph_picks in table}:
        own = [
            (micrograph_picks, grades)
            for micrograph_picks, grades in graded
            if micrograph_picks.micrograph.dataset == name
        ]
        sure, picked, unsure = counts(own)
        total = sum(len(grades) for _, grades in own)
        assert abs(sure - wanted[name] * min(1, top / sum(wanted.values()))) < 1
        assert sure <= wanted[name]
        assert picked == n_picked[name]
        assert unsure == min(picked + sure // 2, total)
        score, every = (
            np.concatenate(part)
            for part in zip(*((micrograph_picks.score, g) for micrograph_picks, g in own), strict=True)
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
        store.place,
        [
            manifest_row(*micrograph_picks)
            for micrograph_picks in (("a", "complete"), ("b", "complete"), ("c", "failed"))
        ],
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
    seen = [
        replace(micrograph_picks, micrograph=replace(micrograph_picks.micrograph, inverted=True))
        for micrograph_picks in table
    ]
    signed = labelled(grade(seen, share=0.7, top=9), run, settings, Grade.SURE)
    assert [micrograph_picks.sign for micrograph_picks in signed] == [-1, -1]
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
    (anew,) = repicked([picks("a", [0.9, 0.8])], found, 0.5)
    assert (anew.x_px.tolist(), anew.y_px.tolist(), anew.picked.tolist()) == ([1, 2], [3, 4], [True, False])
    (every,) = repicked([picks("a", [0.9, 0.8])], found, None)
    assert every.picked.all()
    on_junk = replace(picks("a", [0.9, 0.8]), junk=np.uint8([Junk.NONE, Junk.CARBON]))
    on_junk = on_junk.marked(Reason.ON_JUNK, np.array([False, True]))
    (anew,) = repicked([on_junk], found, 0.5)
    assert anew.is_kept_out.tolist() == [False, False, True]
    assert (anew.x_px[2], anew.picked[2]) == (on_junk.x_px[1], False)


def test_a_student_finds_nothing_anew_where_a_person_decided():
    """The diameter is 30 px: half of it is how far a decision reaches."""
    before = replace(picks("a", [0.9, 0.8, 0.7]), more={"source": np.array(["", "hand", ""], object)})
    before = replace(before, x_px=np.float32([10, 50, 90]), y_px=np.float32([50, 50, 50]))
    before = before.marked(Reason.REMOVED_BY_HAND, np.array([True, False, False]))
    found = Candidates(*np.float32([[12, 53, 90, 26], [50, 50, 50, 50], [0.9, 0.9, 0.9, 0.9]]))
    (anew,) = repicked([before], {"a": found}, 0.5)
    assert anew.x_px[anew.picked].tolist() == [90, 26, 50]
    assert anew.x_px[anew.has(Reason.REMOVED_BY_HAND)].tolist() == [10]
