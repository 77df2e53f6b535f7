import csv
from pathlib import PurePosixPath

import numpy as np
import pandas as pd
import pytest

from cryopick_ray.errors import PicksError
from cryopick_ray.formats.coordinates import picked
from cryopick_ray.formats.csv_table import write_csv
from cryopick_ray.formats.format import ExportSettings
from cryopick_ray.formats.topaz import write_topaz


def test_csv_gives_picks_back_and_keeps_whole_ids(tmp_path, mixed):
    write_csv(picked(mixed), tmp_path, ExportSettings())
    table = pd.read_csv(tmp_path / "picks.csv")
    assert list(table.columns) == ["micrograph_id", "x_px", "y_px", "score", "diameter_A"]
    assert table["micrograph_id"].unique().tolist() == ["a/x.mrc", "b/x.mrc"]
    for column in ("x_px", "y_px", "score"):
        values = np.concatenate(
            [getattr(micrograph_picks, column)[micrograph_picks.picked] for micrograph_picks in mixed]
        )
        np.testing.assert_allclose(table[column], values, atol=1e-3)
    assert (table["diameter_A"] == 120).all()


def test_csv_quotes_names_with_commas_and_quotes(tmp_path, make_picks):
    name = 'a, "b".mrc'
    write_csv(picked([make_picks(name, 2)]), tmp_path, ExportSettings())
    with (tmp_path / "picks.csv").open(newline="") as file:
        assert list(csv.reader(file))[1][0] == name


@pytest.mark.parametrize("name", ["=cmd().mrc", "+1.mrc", "-2/a.mrc", "@x.mrc"])
def test_no_name_is_a_formula_in_a_spreadsheet(tmp_path, make_picks, name):
    micrograph_picks = make_picks(name, 2, picked=2)
    micrograph_picks.score[1] = -0.5
    write_csv(picked([micrograph_picks]), tmp_path, ExportSettings())
    with (tmp_path / "picks.csv").open(newline="") as file:
        _, first, second = csv.reader(file)
    assert first[0] == f"./{name}"
    assert PurePosixPath(first[0]) == PurePosixPath(name)
    assert float(second[3]) == -0.5


def test_topaz_gets_no_name_that_is_a_formula(tmp_path, make_picks):
    told = []
    picks = [make_picks("grid/=cmd().mrc", 2), make_picks("b.mrc", 2, picked=2)]
    write_topaz(picked(picks), tmp_path, ExportSettings(say=told.append))
    assert "formula" in told[0]
    assert {line.split("\t")[0] for line in (tmp_path / "picks.txt").read_text().splitlines()[1:]} == {"b"}


def test_topaz_table_has_whole_pixels_and_stems(tmp_path, make_picks):
    micrograph_picks = make_picks("grid/x.mrc.gz", 3, picked=2)
    micrograph_picks.x_px[:], micrograph_picks.y_px[:] = (30.4, 786.6, 1), (-0.3, 210, 2)
    write_topaz(picked([micrograph_picks, make_picks("grid/none.mrc", 0)]), tmp_path, ExportSettings())
    lines = (tmp_path / "picks.txt").read_text().splitlines()
    # The head and the shape of a row are those that `topaz extract` 0.3.20 writes.
    assert lines[0] == "image_name\tx_coord\ty_coord\tscore"
    assert [line.rsplit("\t", 1)[0] for line in lines[1:]] == ["x\t30\t0", "x\t787\t210"]
    scores = [float(line.split("\t")[3]) for line in lines[1:]]
    np.testing.assert_allclose(scores, micrograph_picks.score[:2], rtol=1e-6)


def test_topaz_cannot_hold_two_micrographs_of_one_stem(tmp_path, mixed):
    with pytest.raises(PicksError, match=r"'a/x\.mrc' and 'b/x\.mrc'"):
        write_topaz(picked(mixed), tmp_path, ExportSettings())
    assert list(tmp_path.iterdir()) == []
