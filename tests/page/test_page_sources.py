"""Runs at work, tables, and files of other programs stand side by side, micrograph by micrograph."""

import shutil
import time

import numpy as np
import pandas as pd
import pytest
from served import DIAMETER_A, micrographs, pick, pick_beside, served

from cryopick_ray.errors import UsageError
from cryopick_ray.page.run_source import POLL_SECONDS
from cryopick_ray.picks.reasons import Reason
from cryopick_ray.picks.table import PickTable


def test_candidates_are_the_tables(picked, tmp_path):
    with served(picked / "run", curation=tmp_path / "c") as page:
        ids = page.json("api/micrographs")["columns"]["id"]
        for i, micrograph_picks in enumerate(PickTable(picked / "run" / "table")):
            shown = page.candidates(i)
            assert ids[i] == micrograph_picks.micrograph.micrograph_id
            for name in ("x_px", "y_px", "score", "unpicked"):
                assert np.array_equal(shown[name], getattr(micrograph_picks, name))


def test_counts_at_any_cut_are_those_of_the_candidates_and_of_the_histogram(picked, tmp_path):
    with served(picked / "run", truth=str(picked / "truth"), curation=tmp_path / "c") as page:
        page.counts(0)
        head = page.json("api/histogram")
        stops = np.array(head["score_stops"], np.float32)
        columns = 1 if head["size_stops_A"] is None else len(head["size_stops_A"])
        both = np.frombuffer(page.get("api/histogram.bin")[1], "<u4").reshape(2, len(stops) - 1, columns)
        counts, true = both
        every = [page.candidates(i) for i in range(4)]
        free = [
            record["score"][(record["unpicked"] & ~np.uint16(Reason.BELOW_THRESHOLD)) == 0]
            for record in every
        ]
        for at in (0, 1, 100, 511, 1000, 1023):
            exact = [int((score >= stops[at]).sum()) for score in free]
            assert page.counts(repr(float(stops[at]))).tolist() == exact
            assert counts[at:].sum() == sum(exact)
        threshold = page.json("api/about")["sources"][0]["threshold"]
        assert np.float32(threshold) in stops
        marked = sum(int(((record["marks"] & 2) != 0).sum()) for record in every)
        assert true.sum() == marked > 50
        assert head["truth_total"] == 100
        assert len(page.get("api/truth/0")[1]) == 4 + 25 * 8


@pytest.mark.usefixtures("at_once")
def test_a_run_at_work_is_shown_and_grows_without_moving_what_was_there(tmp_path):
    """Shards without a table, then a micrograph whose name comes first, then the table."""
    folder = tmp_path / "micrographs"
    micrographs(folder, ["b.mrc", "c.mrc"])
    pick(folder, tmp_path / "run")
    table = tmp_path / "run" / "table"
    cut = next(iter(PickTable(table).made.thresholds.values()))["value"]
    expected = {
        micrograph_picks.micrograph.micrograph_id: micrograph_picks for micrograph_picks in PickTable(table)
    }
    shutil.rmtree(table)
    (tmp_path / "run" / "summary.json").unlink()
    with served(tmp_path / "run") as page:
        about = page.json("api/about")
        assert about["is_live"]
        assert about["sources"][0]["threshold"] == pytest.approx(cut)
        listed = page.json("api/micrographs")
        assert listed["columns"]["id"] == ["b.mrc", "c.mrc"]
        page.counts(cut)
        first = page.json("api/histogram")
        for i, name in enumerate(("b.mrc", "c.mrc")):
            for column in ("x_px", "y_px", "score", "unpicked"):
                assert np.array_equal(page.candidates(i)[column], getattr(expected[name], column))
        micrographs(folder, ["a.mrc"])
        pick_beside(folder, tmp_path / "run", "--resume")
        page.session.opened.run._looked = -POLL_SECONDS
        grown = page.json("api/micrographs")
        assert grown["generation"] > listed["generation"]
        assert grown["columns"]["id"] == ["b.mrc", "c.mrc", "a.mrc"]
        assert page.json("api/about")["is_live"]  # it grew just now
        found = next(
            micrograph_picks
            for micrograph_picks in PickTable(table)
            if micrograph_picks.micrograph.micrograph_id == "a.mrc"
        )
        assert np.array_equal(page.candidates(2)["x_px"], found.x_px)
        assert page.get("api/thumbnail/2.jpg")[0] == 200
        while (counted := page.json("api/micrographs"))["generation"] == grown["generation"]:
            time.sleep(0.05)  # counting anew is a change, too
        again = page.json("api/histogram")
        assert again["generation"] > first["generation"] > 0
        status, headers, content = page.raw("GET", f"/{page.token}/api/histogram.bin", [page.host])
        assert (status, headers["x-generation"]) == (200, str(again["generation"]))
        free = sum(
            int(((micrograph_picks["unpicked"] & ~np.uint16(Reason.BELOW_THRESHOLD)) == 0).sum())
            for micrograph_picks in map(page.candidates, range(counted["n"]))
        )
        assert np.frombuffer(content, "<u4").sum() == free


def test_a_table_and_other_programs_files_stand_beside_a_run(picked, tmp_path):
    table = tmp_path / "copied"
    shutil.copytree(picked / "run" / "table", table)
    sources = [picked / "run", f"people={picked / 'truth'}", table, picked / "run" / "coordinates"]
    with served(*sources, curation=tmp_path / "c") as page:
        about = page.json("api/about")["sources"]
        assert [record["name"] for record in about] == ["run", "people", "copied", "coordinates"]
        assert [record["kind"] for record in about] == ["run", "files", "table", "files"]
        for i in range(4):
            own, people, same, star = (page.candidates(i, source) for source in range(4))
            assert len(people["x_px"]) == 25
            assert np.array_equal(own["score"], same["score"])
            chosen = own["unpicked"] == 0
            assert np.allclose(np.sort(star["x_px"]), np.sort(own["x_px"][chosen]), atol=0.01)


def test_files_of_other_programs_are_curated_and_exported_like_runs(picked, tmp_path):
    with served(
        picked / "truth", micrographs=str(picked / "run"), curation=tmp_path / "c", diameter_A=DIAMETER_A
    ) as page:
        record = page.candidates(0)
        rows = [{"action": "remove", "x_px": float(record["x_px"][0]), "y_px": float(record["y_px"][0])}]
        assert page.post("api/decisions", {"micrograph": 0, "rows": rows})[0] == 200
        assert page.counts(0).tolist() == [24, 25, 25, 25]
        job = page.start(what="export", format="csv")
        assert job["state"] == "done", job
        folder = job["lines"][-1].rpartition(" in ")[2]
        assert folder.startswith(str(tmp_path))
        written = pd.concat([pd.read_csv(path) for path in __import__("pathlib").Path(folder).rglob("*.csv")])
        assert len(written) == 99


def test_coordinates_over_the_micrographs_of_a_run_are_counted_themselves(picked, tmp_path):
    with served(
        picked / "truth", micrographs=str(picked / "run"), curation=tmp_path / "c", diameter_A=DIAMETER_A
    ) as page:
        assert page.counts(0).tolist() == [25] * 4
        columns = page.json("api/micrographs")["columns"]
        assert columns["picks"] == [25] * 4
        assert not {"mean_score", "verdict"} & columns.keys()


def test_what_cannot_be_shown_is_told_with_its_remedy(picked, tmp_path):
    with pytest.raises(UsageError, match="`micrographs`"):
        served(tmp_path_with(tmp_path, picked)).__enter__()
    with pytest.raises(UsageError, match="does not exist"):
        served(tmp_path / "nowhere", micrographs=str(picked / "run")).__enter__()
    micrographs(tmp_path / "others", ["other.mrc"])
    with pytest.raises(UsageError, match="none of the micrographs"):
        served(picked / "truth", micrographs=str(tmp_path / "others"), diameter_A=150.0).__enter__()


def tmp_path_with(tmp_path, picked):
    shutil.copytree(picked / "truth", tmp_path / "alone")
    return tmp_path / "alone"
