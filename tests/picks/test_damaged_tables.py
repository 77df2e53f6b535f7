import numpy as np
import pytest
from made_tables import build, some_picks

from cryopick_ray.errors import PicksError, UsageError
from cryopick_ray.picks.table import PickTable, open_table

FLIPS = 100
"""In each file of a table."""


def test_a_folder_that_is_no_table_says_how_to_make_one(tmp_path):
    with pytest.raises(PicksError, match="cryopick table"):
        open_table(tmp_path)


def read(table):
    return [
        (
            micrograph.micrograph,
            micrograph.diameter_A,
            *(
                column.tobytes()
                for column in (micrograph.x_px, micrograph.y_px, micrograph.score, micrograph.picked)
            ),
        )
        for micrograph in PickTable(table)
    ]


def test_a_flipped_bit_is_refused_or_changes_nothing(tmp_path):
    """Wherever in a table it is: pages, statistics, footers, the index and its own checksums."""
    build(tmp_path, "t", some_picks(), 4, failed=("s0/bad.mrc",))
    table = tmp_path / "t.table"
    whole = read(table)
    rng = np.random.default_rng(15)
    refused = 0
    for path in sorted(path for path in table.rglob("*") if path.is_file()):
        data = path.read_bytes()
        for place in rng.integers(0, 8 * len(data), FLIPS):
            harmed = bytearray(data)
            harmed[place // 8] ^= 1 << (place % 8)
            path.write_bytes(harmed)
            try:
                found = read(table)
            except PicksError as error:
                refused += path.name in str(error)
            else:
                assert found == whole
        path.write_bytes(data)
    assert refused > FLIPS
    assert read(table) == whole


def test_parts_that_are_missing_or_of_another_table_are_refused(tmp_path):
    build(tmp_path, "t", some_picks(), 4)
    build(tmp_path, "other", some_picks(seed=1), 4)
    part = tmp_path / "t.table" / "s1" / "part-00000.parquet"
    whole = part.read_bytes()
    part.write_bytes((tmp_path / "other.table" / "s1" / part.name).read_bytes())
    with pytest.raises(PicksError, match=r"part-00000\.parquet is damaged: its checksum is wrong; make"):
        read(tmp_path / "t.table")
    part.unlink()
    with pytest.raises(PicksError, match=r"s1/part-00000\.parquet is missing; make"):
        read(tmp_path / "t.table")
    part.write_bytes(whole)
    part.with_name("part-00001.parquet").write_bytes(whole)
    with pytest.raises(PicksError, match=r"part-00001\.parquet is not part of this table"):
        read(tmp_path / "t.table")


def test_a_table_without_its_index_is_made_again_and_nothing_else_is_replaced(tmp_path):
    build(tmp_path, "t", some_picks(), 4)
    whole = read(tmp_path / "t.table")
    (tmp_path / "t.table" / "_micrographs.parquet").unlink()
    build(tmp_path, "t", some_picks(), 4)
    assert read(tmp_path / "t.table") == whole
    (tmp_path / "t.table" / "_micrographs.parquet").unlink()
    (tmp_path / "t.table" / "thesis.txt").touch()
    with pytest.raises(UsageError, match="is no table"):
        build(tmp_path, "t", some_picks(), 4)


def test_a_link_in_the_place_of_a_table_is_not_followed(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    (tmp_path / "t.table.partial").symlink_to(tmp_path / "mine")
    build(tmp_path, "t", some_picks(), 4)
    assert not (tmp_path / "t.table.partial").exists()
    (tmp_path / "empty").mkdir()
    (tmp_path / "u.table").symlink_to(tmp_path / "empty")
    with pytest.raises(UsageError, match=r"u\.table is a symbolic link"):
        build(tmp_path, "u", some_picks(), 4)
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "mine"
    assert not list((tmp_path / "empty").iterdir())
