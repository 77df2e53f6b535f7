"""Filaments against true ones, whose overlap is known because it is drawn."""

import json
from pathlib import Path

import numpy as np
import pytest
from cryopick_ray.cli.main import app
from typer.testing import CliRunner

from cryopick_ray.errors import PicksError, UsageError
from cryopick_ray.evaluation.filament_evaluation import evaluate_filaments, has_filaments
from cryopick_ray.evaluation.traces import crossings, follow
from cryopick_ray.evaluation.truth import Truth
from cryopick_ray.filaments.segments import cut_segments
from cryopick_ray.filaments.trace import Trace
from cryopick_ray.picks.schema import MicrographPicks, PickedMicrograph
from cryopick_ray.runs import read_run

WIDTH_A, PIXEL_A = 100.0, 2.0
WIDTH = WIDTH_A / PIXEL_A
SIDE = 2000
SPACING = 10.0


def straight(x, y, stop_x, stop_y, score=1.0):
    return Trace(np.array([[x, y], [stop_x, stop_y]], float), score)


def turned(degrees, length=1000, centre=(1000, 1000), score=1.0):
    half = np.array([np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))]) * length / 2
    return Trace(np.array([centre - half, centre + half]), score)


def picks(traces, name="a.mrc", threshold=0.0, status="complete"):
    rows = cut_segments(traces, SPACING, WIDTH)
    about = PickedMicrograph(name, "", name, (SIDE, SIDE), PIXEL_A, None, status, "")
    columns = {"filament": rows.filament, "track_A": (rows.track_px * PIXEL_A).astype(np.float32)}
    at = (one.astype(np.float32) for one in (rows.x_px, rows.y_px, rows.score))
    unpicked = (rows.score < threshold).astype(np.uint16)
    found = MicrographPicks(about, *at, unpicked, WIDTH_A, more=columns)
    return found.take(np.random.default_rng(1).permutation(len(found)))  # tables are by score, not by track


def truth(**micrographs):
    rows = {name: cut_segments(traces, SPACING, WIDTH) for name, traces in micrographs.items()}
    more = {name: {"filament": row.filament, "track_px": row.track_px} for name, row in rows.items()}
    places = {name: np.column_stack([row.x_px, row.y_px]) for name, row in rows.items()}
    return Truth(Path("truth"), places, (), more=more)


def scored(found, true, **how):
    return evaluate_filaments([picks(found)], truth(a=true), **how).pooled


TWO = [straight(100, 500, 1100, 500), straight(100, 900, 1100, 900)]


def test_the_same_is_all_found_without_error():
    same = scored(TWO, TWO)
    assert (same.recall, same.precision, same.f1, same.auprc) == pytest.approx((1, 1, 1, 1))
    assert same.truth_widths == pytest.approx(2 * 1000 / WIDTH)
    assert (same.n_truth, same.n_found, same.breaks, same.false_joins, same.crossings) == (2, 2, 0, 0, 0)
    assert (same.angle_deg, same.angle_90_deg, same.offset) == pytest.approx((0, 0, 0), abs=0.01)


def test_recall_and_precision_are_shares_of_length():
    found = [straight(100, 500, 850, 500), straight(100, 1500, 350, 1500)]
    some = scored(found, TWO[:1])
    assert some.recall == pytest.approx(0.775, abs=0.01)  # half a width beyond its end is near it too
    assert some.precision == pytest.approx(0.75, abs=0.01)
    assert some.f1 == pytest.approx(2 * 0.775 * 0.75 / (0.775 + 0.75), abs=0.01)


@pytest.mark.parametrize(("off", "recall"), [(0.4, 1), (0.6, 0)])
def test_half_a_width_beside_is_found(off, recall):
    found = scored([straight(100, 500 + off * WIDTH, 1100, 500 + off * WIDTH)], TWO[:1])
    assert (found.recall, found.precision) == pytest.approx((recall, recall))
    assert found.offset == (pytest.approx(off, abs=0.01) if recall else None)
    assert scored([straight(100, 530, 1100, 530)], TWO[:1], radius_A=31 * PIXEL_A).recall == pytest.approx(1)


@pytest.mark.parametrize(("degrees", "agrees"), [(20, True), (40, False), (90, False), (180, True)])
def test_another_direction_finds_nothing(degrees, agrees):
    found = scored([turned(degrees, 1000)], [turned(0, 1000)])
    assert bool(found.recall) == agrees
    if degrees == 20:
        assert found.angle_deg == pytest.approx(20, abs=0.1)


def test_pieces_are_breaks():
    pieces = [straight(100, 500, 400, 500), straight(500, 500, 700, 500), straight(800, 500, 1100, 500)]
    found = scored(pieces, TWO)
    assert (found.breaks, found.false_joins) == (2, 0)


def test_a_filament_that_goes_on_along_another_is_a_false_join():
    bent = Trace(np.array([[500.0, 1000], [1000, 1000], [1250, 1433]]))
    found = scored([bent], [turned(0), turned(60)])
    assert (found.false_joins, found.breaks, found.crossings) == (1, 0, 1)


def test_a_gap_between_ends_that_is_bridged_is_no_false_join():
    pieces = [straight(100, 500, 400, 500), straight(450, 500, 900, 505)]
    found = scored([straight(100, 500, 900, 505)], pieces)
    assert (found.false_joins, found.bridges) == (0, 1)


@pytest.mark.parametrize("degrees", [12, 30, 90])
def test_those_that_cross_and_go_straight_on_are_no_false_joins(degrees):
    true = [turned(0), turned(degrees)]
    moved = [Trace(one.points + np.array([0.0, 0.1 * WIDTH])) for one in true]
    found = scored(moved, true)
    assert (found.recall, found.precision) == pytest.approx((1, 1))
    assert (found.crossings, found.false_joins, found.breaks) == (1, 0, 0)


def test_crossings_are_counted_once_each():
    waves = np.linspace(0, 4 * np.pi, 400)
    wave = Trace(np.column_stack([100 + 100 * waves, 1000 + 200 * np.cos(waves)]))
    assert crossings([wave, straight(50, 1003, 1500, 1007)], WIDTH) == 4
    assert crossings([turned(degrees) for degrees in (3, 45, 101)], WIDTH) == 3
    assert crossings(TWO, WIDTH) == crossings(TWO[:1], WIDTH) == crossings([], WIDTH) == 0


def test_the_best_threshold_leaves_the_false_ones_out():
    found = [
        straight(100, 500, 1100, 500, 0.9),
        straight(100, 1500, 1100, 1500, 0.5),
        straight(100, 900, 1100, 900, 0.4),
    ]
    one = evaluate_filaments([picks(found, threshold=0.8)], truth(a=TWO))
    assert (one.pooled.n_found, one.pooled.precision) == (1, pytest.approx(1))
    assert one.pooled.recall == pytest.approx(0.5)
    assert one.pooled.best_f1 == pytest.approx(0.8)
    assert one.pooled.best_threshold == pytest.approx(0.4)
    assert one.pooled.auprc == pytest.approx(0.5 + 0.5 * 2 / 3)
    assert [point.threshold for point in one.curve] == pytest.approx([0.9, 0.5, 0.4])
    recall = [point.recall for point in one.curve]
    assert recall == sorted(recall)


def test_micrographs_are_summed_by_length_and_failed_ones_miss_all():
    table = [picks(TWO), picks([], "b.mrc"), picks([], "c.mrc", status="failed"), picks(TWO, "d.mrc")]
    some = evaluate_filaments(table, truth(a=TWO, b=TWO[:1], c=TWO[:1]))
    assert [micrograph.score.recall for micrograph in some.micrographs] == pytest.approx([1, 0, 0])
    assert [micrograph.failed for micrograph in some.micrographs] == [False, False, True]
    assert some.pooled.recall == pytest.approx(0.5)
    assert any("failed" in note and "c.mrc" in note for note in some.notes)
    assert any("want of truth" in note and "d.mrc" in note for note in some.notes)
    assert evaluate_filaments(table, truth(a=TWO, b=TWO), exclude=["b*"]).pooled.recall == pytest.approx(1)


def test_filaments_without_scores_are_not_ranked():
    some = evaluate_filaments([picks([straight(100, 500, 1100, 500, np.nan)])], truth(a=TWO))
    assert some.pooled.recall == pytest.approx(0.5)
    assert some.pooled.auprc is some.pooled.best_f1 is some.pooled.best_threshold is None
    assert some.curve == ()
    assert any("no scores" in note for note in some.notes)


def test_nothing_found_and_nothing_true_have_no_share():
    missed, made_up, nothing = scored([], TWO), scored(TWO, []), scored([], [])
    assert (missed.recall, missed.precision, missed.f1, missed.auprc) == (0, None, 0, 0)
    assert (made_up.recall, made_up.precision, made_up.f1, made_up.auprc) == (None, 0, 0, None)
    assert (nothing.recall, nothing.precision, nothing.f1) == (None, None, None)


def test_truth_counted_from_the_last_row_is_turned():
    up = truth(a=TWO)
    down = Truth("t", {"a": up.particles["a"] * (1, -1) + (0, SIDE - 1)}, (), frozenset("a"), up.more)
    assert evaluate_filaments([picks(TWO)], down).pooled.recall == pytest.approx(1)


def test_truth_outside_is_refused():
    with pytest.raises(UsageError, match=r"a\.mrc in truth .*`binning` 0\.5"):
        scored(TWO, [straight(100, 500, 3500, 500)])


def test_absurd_lengths_are_refused():
    far = Trace(np.array([[0, 0], [1e9, 0]]))
    with pytest.raises(PicksError, match="widths long"):
        follow([far], [far], WIDTH, WIDTH / 2)
    same = [straight(0, 0, 2e4, 0)] * 200
    with pytest.raises(PicksError, match="on top of each other"):
        follow(same[:20], same, WIDTH, 4 * WIDTH)


def test_particles_are_compared_where_either_side_has_no_filaments(monkeypatch):
    found, true = [picks(TWO)], truth(a=TWO)
    assert has_filaments(found)
    monkeypatch.setattr(read_run, "is_table", lambda where: True)
    monkeypatch.setattr(read_run, "open_table", lambda where: found)
    monkeypatch.setattr(read_run, "read_truth", lambda where: true)
    assert read_run.evaluate("run", "truth").pooled.breaks == 0
    true = Truth("t", true.particles, ())
    particles = read_run.evaluate("run", "truth")
    assert particles.pooled.n_hits > 0
    assert any("count as particles" in note for note in particles.notes)


def test_the_command_prints_both_as_text_and_json(monkeypatch):
    monkeypatch.setattr(read_run, "is_table", lambda where: True)
    monkeypatch.setattr(read_run, "open_table", lambda where: [picks(TWO)])
    monkeypatch.setattr(read_run, "read_truth", lambda where: truth(a=TWO))
    text = CliRunner().invoke(app, ["evaluate", "run", "--truth", "there"])
    assert text.exit_code == 0, text.output
    head, row, *_ = text.stdout.splitlines()
    assert {"breaks", "crossings", "recall"} <= set(head.split())
    assert row.split()[:5] == ["a.mrc", "2", "2", "1.000", "1.000"]
    known = json.loads(CliRunner().invoke(app, ["evaluate", "run", "--truth", "there", "--json"]).stdout)
    assert known["pooled"]["recall"] == pytest.approx(1)
