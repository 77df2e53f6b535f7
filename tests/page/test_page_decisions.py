"""What is decided on a page is kept at once, counted, exported, applied and undone, whoever decides."""

import csv
import json
import os
import random
import shutil
import signal
import threading

import numpy as np
import pandas as pd
import pytest
import starfile
from served import HOSTILE, micrographs, pick, pick_beside, process, served

from cryopick_ray.errors import UsageError
from cryopick_ray.passes.decision_files import read_rows
from cryopick_ray.picks.reasons import Reason

CUT = 0.2


def mend(page, i=0):
    """Remove the best pick, add one, paint junk over another; return what the page then shows."""
    record = page.candidates(i)
    rows = [
        {"action": "remove", "x_px": float(record["x_px"][0]), "y_px": float(record["y_px"][0])},
        {"action": "add", "x_px": 30.25, "y_px": 41.5},
        {
            "action": "junk",
            "x_px": float(record["x_px"][1]),
            "y_px": float(record["y_px"][1]),
            "radius_px": 20.0,
        },
    ]
    status, content = page.post("api/decisions", {"micrograph": i, "rows": rows})
    assert status == 200, content
    return page.candidates(i)


def picked_places(candidates):
    chosen = candidates["unpicked"] == 0
    places = zip(candidates["x_px"][chosen].tolist(), candidates["y_px"][chosen].tolist(), strict=True)
    return {(round(x, 1), round(y, 1)) for x, y in places}


def test_decisions_show_at_once_in_candidates_counts_and_columns(run):
    with served(run) as page:
        before, listed = page.candidates(0), page.json("api/micrographs")
        threshold = page.json("api/about")["sources"][0]["threshold"]
        assert page.counts(threshold).tolist() == listed["columns"]["picks"]
        after = mend(page)
        added = (after["x_px"] == 30.25) & (after["y_px"] == 41.5)
        assert after["marks"][added].tolist() == [1]
        assert after["unpicked"][added].tolist() == [0]
        gone = np.isin(after["x_px"], before["x_px"][:2])
        assert (after["unpicked"][gone] & Reason.REMOVED_BY_HAND).all()
        assert page.counts(threshold)[0] == (after["unpicked"] == 0).sum()
        now = page.json("api/micrographs")
        assert now["generation"] > listed["generation"]
        assert now["columns"]["decisions"] == [3, 0, 0, 0]
        assert now["columns"]["picks"][0] == (after["unpicked"] == 0).sum()
        assert [row["action"] for row in page.json("api/decisions/0")["rows"]] == ["remove", "add", "junk"]


def test_an_added_pick_counts_at_any_cut(run):
    with served(run) as page:
        mend(page)
        assert page.counts(1000000.0).tolist() == [1, 0, 0, 0]


def test_an_excluded_micrograph_has_no_picks_until_it_is_taken_back(run):
    with served(run) as page:
        threshold = page.json("api/about")["sources"][0]["threshold"]
        before = page.counts(threshold)
        assert page.post("api/exclude", {"micrographs": [1, 3], "exclude": True})[0] == 200
        assert page.counts(threshold).tolist() == [before[0], 0, before[2], 0]
        assert page.json("api/micrographs")["columns"]["excluded"] == [False, True, False, True]
        assert page.post("api/exclude", {"micrographs": [1], "exclude": False})[0] == 200
        assert page.counts(threshold).tolist() == [before[0], before[1], before[2], 0]


def test_undo_takes_back_one_call_after_the_other(run):
    with served(run) as page:
        before = page.candidates(0)
        mend(page)
        page.post("api/exclude", {"micrographs": [2], "exclude": True})
        assert json.loads(page.post("api/undo", {})[1]) == {"micrographs": [2]}
        assert json.loads(page.post("api/undo", {})[1]) == {"micrographs": [0]}
        assert json.loads(page.post("api/undo", {})[1]) == {"micrographs": []}
        for name, values in page.candidates(0).items():
            assert np.array_equal(values, before[name], equal_nan=True)


def test_what_one_decided_the_other_sees_and_both_are_there_when_it_is_opened_again(run):
    with served(run, by="ada") as item, served(run, by="bob") as two:
        mend(item)
        generation = two.json("api/micrographs")["generation"]
        two.post("api/exclude", {"micrographs": [3], "exclude": True})
        seen = item.json("api/micrographs")
        assert seen["columns"]["excluded"][3]
        assert item.json("api/about")["people"] == two.json("api/about")["people"] == ["ada", "bob"]
        assert two.json("api/micrographs")["generation"] > generation
        assert picked_places(item.candidates(0)) == picked_places(two.candidates(0))
        shown = item.candidates(0)
        with pytest.raises(UsageError, match="another page"):
            served(run, by="ada").__enter__()
    assert sorted(path.name for path in (run / "curation").glob("*.csv")) == ["ada.csv", "bob.csv"]
    with served(run, by="ada") as again:
        assert np.array_equal(again.candidates(0)["unpicked"], shown["unpicked"])
        assert again.json("api/micrographs")["columns"]["excluded"] == [False, False, False, True]


def test_a_broken_file_of_somebody_else_is_told_and_stops_nobody(run):
    with served(run, by="ana") as page:
        before = page.json("api/micrographs")
        (run / "curation" / "bob.csv").write_text("bob was here\n")
        mend(page)
        listed = page.json("api/micrographs")
        assert listed["columns"]["decisions"] == [3, 0, 0, 0]
        assert len(listed["notes"]) == len(before["notes"]) + 1
        assert "bob.csv" in listed["notes"][-1]
        assert page.json("api/about")["notes"] == listed["notes"]
        shutil.rmtree(run / "curation")
        mend(page, 1)
        assert page.json("api/micrographs")["notes"] == before["notes"]
        assert page.json("api/micrographs")["columns"]["decisions"] == [3, 3, 0, 0]
    assert len(read_rows([run / "curation"])) == 6


@pytest.mark.usefixtures("at_once")
def test_decisions_that_the_table_does_not_hold_are_told_until_it_does(picked, run):
    with served(run, by="ana") as page:
        assert page.json("api/about")["hint"] == page.json("api/micrographs")["hint"] == ""
        mend(page)
        assert "press Apply" in page.json("api/micrographs")["hint"]
        pick_beside(picked / "micrographs", run, "--resume")  # which asks for no decisions
        page.session.refresh_now()
        assert "press Apply" in page.json("api/micrographs")["hint"]
        assert page.start(what="apply")["state"] == "done"
        assert page.json("api/micrographs")["hint"] == page.json("api/about")["hint"] == ""
        page.post("api/undo", {})
        assert "press Apply" in page.json("api/micrographs")["hint"]


def test_since_says_when_nothing_changed(run):
    with served(run) as page:
        page.counts(0)  # after which nothing changes by itself
        generation = page.json("api/micrographs")["generation"]
        assert page.get(f"api/micrographs?since={generation}")[0] == 204
        mend(page)
        assert page.get(f"api/micrographs?since={generation}")[0] == 200


def exported(page):
    job = page.start(what="export", format="star", threshold=CUT)
    assert job["state"] == "done", job
    folder = job["lines"][-1].rpartition(" in ")[2]
    found = starfile.read(f"{folder}/particles.star")["particles"]
    return found[["rlnMicrographName", "rlnCoordinateX", "rlnCoordinateY"]].values.tolist()


def test_the_exported_star_holds_exactly_what_is_shown_at_that_cut(run):
    with served(run) as page:
        mend(page)
        page.post("api/exclude", {"micrographs": [3], "exclude": True})
        wanted = []
        for i, about in enumerate(page.session.micrographs):
            record = page.candidates(i)
            others = record["unpicked"] & ~np.uint16(Reason.BELOW_THRESHOLD)
            chosen = (others == 0) & ((record["score"] >= np.float32(CUT)) | (record["marks"] & 1 == 1))
            places = zip(record["x_px"][chosen].tolist(), record["y_px"][chosen].tolist(), strict=True)
            wanted += [[about.relion_name, x, y] for x, y in places]
        found = sorted(exported(page))
        assert [name for name, *_ in found] == sorted(name for name, *_ in wanted)
        assert np.allclose([place for _, *place in found], [place for _, *place in sorted(wanted)], atol=0.01)
        assert len(wanted) == page.counts(CUT).sum()


@pytest.mark.usefixtures("at_once")
def test_applied_the_table_is_what_the_page_shows_and_what_is_taken_back_then_comes_back(run):
    with served(run) as page:
        before = page.candidates(0)
        shown = mend(page)
        page.post("api/exclude", {"micrographs": [3], "exclude": True})
        job = page.start(what="apply")
        assert job["state"] == "done", job
        frame = pd.read_parquet(run / "table").query("picked")
        names = page.json("api/micrographs")["columns"]["id"]
        own = frame[frame.micrograph_id == names[0]]
        assert {(round(x, 1), round(y, 1)) for x, y in zip(own.x_px, own.y_px, strict=True)} == picked_places(
            shown
        )
        assert not (frame.micrograph_id == names[3]).any()
        after = page.candidates(0)
        assert picked_places(after) == picked_places(shown)
        page.post("api/undo", {})
        page.post("api/undo", {})
        taken_back = page.candidates(0)
        assert picked_places(taken_back) == picked_places(before)
        assert not page.json("api/micrographs")["columns"]["excluded"][3]
        assert (page.candidates(3)["unpicked"] == 0).any()


def test_decisions_go_with_names_that_nobody_expects(tmp_path):
    micrographs(tmp_path / "micrographs", HOSTILE)
    pick(tmp_path / "micrographs", tmp_path / "run")
    with served(tmp_path / "run") as page:
        ids = page.json("api/micrographs")["columns"]["id"]
        assert set(ids) <= {*HOSTILE, "a\\x0ab.mrc"}
        assert HOSTILE[0] in ids
        for i in range(len(ids)):
            if page.session.micrographs[i].status == "complete":
                mend(page, i)
                assert page.get(f"api/thumbnail/{i}.jpg")[0] == 200
        assert page.start(what="export", format="csv")["state"] == "done"
        decided = page.json("api/micrographs")["columns"]["decisions"]
    rows = read_rows([tmp_path / "run" / "curation"])
    assert [sum(row.micrograph_id == name for row in rows) for name in ids] == decided


def test_a_page_that_is_killed_while_it_saves_has_kept_all_that_it_acknowledged(run):
    acknowledged: list[tuple[float, float]] = []

    def decide(page, running):
        rng = random.Random(1)
        while running.poll() is None:
            place = round(rng.uniform(10, 500), 2), round(rng.uniform(10, 500), 2)
            rows = [{"action": "add", "x_px": place[0], "y_px": place[1]}]
            try:
                status, _ = page.post("api/decisions", {"micrograph": 0, "rows": rows})
            except OSError:
                return
            if status == 200:
                acknowledged.append(place)

    for round_ in range(3):
        before = len(acknowledged)
        with process(run, "--by", "ada") as (running, page):
            thread = threading.Thread(target=decide, args=(page, running))
            thread.start()
            while len(acknowledged) < before + 12 + round_:
                assert thread.is_alive()
            running.send_signal(signal.SIGKILL)
            thread.join()
        kept = [(row.x_px, row.y_px) for row in read_rows([run / "curation" / "ada.csv"])]
        assert set(acknowledged) <= set(kept)
        assert len(kept) <= len(acknowledged) + round_ + 1
    with (run / "curation" / "ada.csv").open(newline="") as file:
        assert all(len(line) == 7 for line in csv.reader(file))
    with served(run, by="ada") as page:
        assert page.json("api/micrographs")["columns"]["decisions"][0] == len(kept)


def test_nothing_is_written_through_links(run, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    victim = elsewhere / "victim.csv"
    victim.write_text("precious")
    (run / "curation").symlink_to(elsewhere)
    with pytest.raises(UsageError, match="symbolic link"):
        served(run).__enter__()
    (run / "curation").unlink()
    (run / "curation").mkdir()
    (run / "exported").symlink_to(elsewhere)
    with served(run, by="ada") as page:
        (run / "curation" / "ada.csv").symlink_to(victim)
        mend(page)
        assert page.post("api/start", {"what": "export", "format": "star"})[0] == 400
    assert victim.read_text() == "precious"
    assert os.listdir(elsewhere) == ["victim.csv"]


def test_a_folder_that_cannot_be_written_is_looked_at_all_the_same(run, monkeypatch):
    import cryopick_ray.page.shared_decisions as judgement

    def refuse(folder, by):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(judgement, "DecisionLog", refuse)  # root may write anywhere
    with served(run) as page:
        assert not page.json("api/about")["is_writable"]
        assert page.candidates(0)["score"].size
        status, content = page.post("api/exclude", {"micrographs": [0], "exclude": True})
        assert status == 403
        assert b"curation" in content
