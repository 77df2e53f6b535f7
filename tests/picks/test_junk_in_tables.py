import io
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cryopick_ray.errors import PicksError
from cryopick_ray.micrographs.junk import KINDS, Junk, read_shares
from cryopick_ray.passes.build import TableSettings, build_table
from cryopick_ray.pickers.picker import Candidates
from cryopick_ray.picks import partitions
from cryopick_ray.picks.index import INDEX
from cryopick_ray.picks.reasons import Why
from cryopick_ray.picks.shard import Picked, decode_coverage, decode_shard, encode_shard
from cryopick_ray.picks.shards import PickShards
from cryopick_ray.picks.table import PickTable, recut
from cryopick_ray.picks.thresholds import Threshold, auto_threshold
from cryopick_ray.store.manifest import ManifestRow
from cryopick_ray.store.parquet import crc32c

SHAPE = (60, 90)
SETTINGS = TableSettings(diameter_A=150.0, model="seeing", digest="d")


def row(name, dataset="s"):
    return ManifestRow(
        name, dataset, name, name, "crc", *SHAPE, 1.5, 30, 45, 1, None, None, None, "complete", ""
    )  # fmt: skip


def picked(name, n, seed=0, *, sees=True):
    """Return distinct candidates, a third of them on junk of all kinds but the user's."""
    rng = np.random.default_rng([seed, n])
    spots = rng.permutation(SHAPE[0] * SHAPE[1])[:n]
    y, x = np.divmod(spots, SHAPE[1])
    score = np.sort(rng.uniform(-1, 1, n).astype(np.float32))[::-1].copy()
    junk = np.where(rng.random(n) < 1 / 3, rng.integers(1, Junk.MASKED, n), 0).astype(np.uint8)
    found = Candidates(x.astype(np.float32), y.astype(np.float32), score, junk if sees else None)
    return Picked(name, "crc", found, mask="", junk_share='{"carbon":0.25}' if sees else "")


UNIT = [
    picked("a.mrc", 40),
    picked("b.mrc", 0, 1),
    Picked("c.mrc", "crc", None, "torn"),
    picked("d.mrc", 25, 2),
]


def build(tmp_path, unit, name="t", size=2, threshold=0.0, **changes):
    shards = PickShards(str(tmp_path / f"{name}.picks"), "d", create=True)
    for start in range(0, len(unit), size):
        shards.publish(unit[start : start + size])
    manifest = {one.micrograph_id: row(one.micrograph_id) for one in unit}
    cut = None if threshold is None else Threshold(threshold, "given")
    out = tmp_path / f"{name}.table"
    build_table(shards, manifest, out, settings=replace(SETTINGS, **changes), threshold=cut)
    return out


def test_a_shard_keeps_what_each_candidate_lies_on():
    table, coverage = decode_shard(encode_shard(UNIT))
    expected = np.concatenate([one.candidates.junk for one in UNIT if one.candidates])
    assert np.array_equal(table["junk"].to_numpy(), expected)
    assert expected.any()
    assert [line.junk_share for line in coverage] == ['{"carbon":0.25}'] * 2 + [""] + ['{"carbon":0.25}']


def earlier(data):
    """Return a shard as earlier versions wrote it: no junk, and checksums without it."""
    import google_crc32c

    file = pq.ParquetFile(pa.BufferReader(data))
    rows = file.read().drop_columns(["junk"])
    crc = 0
    for name in ("x_px", "y_px", "score"):
        crc = google_crc32c.extend(crc, rows[name].to_numpy().tobytes())
    rows = rows.replace_schema_metadata(file.schema_arrow.metadata | {b"cryopick.rows_crc": b"%08x" % crc})
    buffer = io.BytesIO()
    pq.write_table(rows, buffer)
    return buffer.getvalue()


def test_an_earlier_shard_reads_as_one_that_knows_no_junk():
    table, coverage = decode_shard(earlier(encode_shard(UNIT)))
    assert table.column_names[-1] == "junk"
    assert not table["junk"].to_numpy().any()
    assert len(table) == 65
    assert coverage == decode_coverage(encode_shard(UNIT))


def test_a_shard_that_lost_its_junk_is_no_earlier_one():
    file = pq.ParquetFile(pa.BufferReader(encode_shard(UNIT)))
    buffer = io.BytesIO()
    rows = file.read().drop_columns(["junk"]).replace_schema_metadata(file.schema_arrow.metadata)
    pq.write_table(rows, buffer)
    with pytest.raises(ValueError, match="not those that were written"):
        decode_shard(buffer.getvalue())


def test_a_kind_of_junk_that_is_none_is_refused():
    found = Candidates(*np.ones((3, 1), np.float32), np.uint8([len(KINDS)]))
    with pytest.raises(ValueError, match="junk of a kind above 6"):
        decode_shard(encode_shard([Picked("a", "crc", found)]))


@pytest.mark.parametrize("keep", [False, True])
def test_picked_is_what_scores_enough_and_lies_on_no_junk(tmp_path, keep):
    out = build(tmp_path, UNIT, keep_junk=keep)
    frame = pd.read_parquet(out)
    junk = np.concatenate([one.candidates.junk for one in UNIT if one.candidates])
    assert [KINDS.index(kind) for kind in frame.junk] == junk.tolist()
    assert np.array_equal(frame.picked, (frame.score >= 0) & (frame.junk.isin(["", "lattice"]) | keep))
    for one in PickTable(out):
        own = frame[frame.micrograph_id == one.micrograph.micrograph_id]
        assert [KINDS[code] for code in one.junk] == own.junk.tolist()
        assert np.array_equal(one.is_kept_out, ~np.isin(one.junk, [0, 5]) & (not keep))
        if one.micrograph.status == "complete":
            assert read_shares(one.micrograph.junk_share) == {"carbon": 0.25}
    for least in (-1.0, 0.5):
        for one in recut(PickTable(out), least):
            assert np.array_equal(one.picked, (one.score >= np.float32(least)) & ~one.is_kept_out)


@settings(max_examples=10)
@given(st.permutations(range(4)), st.integers(1, 4))
def test_the_same_picks_give_the_same_bytes_however_they_were_cut(tmp_path_factory, order, size):
    tmp_path = tmp_path_factory.mktemp("cut")
    one, other = build(tmp_path, UNIT, "one"), build(tmp_path, [UNIT[at] for at in order], "other", size)
    for path in one.rglob("*.parquet"):
        assert path.read_bytes() == (other / path.relative_to(one)).read_bytes()


def test_what_junk_keeps_out_moves_no_automatic_threshold(tmp_path):
    rng = np.random.default_rng(5)
    score = np.concatenate([rng.normal(0, 1, 900), rng.normal(8, 1, 300), rng.normal(30, 1, 500)])
    junk = np.repeat(np.uint8([0, Junk.ICE]), [1200, 500])
    order = np.argsort(-score)
    x = np.arange(1700, dtype=np.float32)
    found = Candidates(x, x, score[order].astype(np.float32), junk[order])
    clear = auto_threshold(score[:1200].astype(np.float32)).value
    assert clear != pytest.approx(auto_threshold(score.astype(np.float32)).value, rel=0.5)
    shards = PickShards(str(tmp_path / "picks"), "d", create=True)
    shards.publish([Picked("a.mrc", "crc", found)])
    manifest, out = {"a.mrc": row("a.mrc")}, tmp_path / "t"
    cuts = build_table(shards, manifest, out, settings=SETTINGS, threshold=None)
    assert cuts["s"].value == pytest.approx(clear)


def test_an_earlier_table_is_read_as_one_without_junk(tmp_path):
    out = build(tmp_path, [picked("a.mrc", 40, sees=False)])
    before = list(PickTable(out))
    part = out / "s" / "part-00000.parquet"
    pq.write_table(pq.read_table(part).drop_columns(["junk", "unpicked"]), part)
    later = ["mask", "junk_share"]
    pq.write_table(pq.read_table(out / INDEX).drop_columns(later).replace_schema_metadata(None), out / INDEX)
    [one] = PickTable(out)
    assert np.array_equal(one.picked, before[0].picked)
    assert not one.is_kept_out.any()
    assert next(iter(PickTable(out).parts())).column_names[-1] == "junk"


@pytest.mark.parametrize("keep", [False, True])
def test_an_earlier_table_that_does_not_say_why_is_read_as_it_was_cut(tmp_path, keep):
    out = build(tmp_path, UNIT, keep_junk=keep)
    before = list(PickTable(out))
    part, index = out / "s" / "part-00000.parquet", pq.read_table(out / INDEX)
    pq.write_table(pq.read_table(part).drop_columns(["unpicked"]), part)
    index = index.add_column(17, "keep_junk", pa.array([keep] * len(index)))
    parts = json.dumps({"s/part-00000.parquet": crc32c(part.read_bytes())}).encode()
    crc = crc32c(json.dumps(index.to_pylist()).encode(), crc32c(parts))
    vouched = {"cryopick.parts": parts, "cryopick.index_crc": str(crc)}
    pq.write_table(index.replace_schema_metadata(vouched), out / INDEX)
    for one, same in zip(PickTable(out), before, strict=True):
        assert np.array_equal(one.picked, same.picked)
        assert np.array_equal(one.is_kept_out, same.is_kept_out)
        assert not (one.has(Why.BELOW_THRESHOLD) & ~same.has(Why.BELOW_THRESHOLD)).any()


def test_an_index_that_says_what_no_share_is_is_damaged(tmp_path):
    out = build(tmp_path, UNIT)
    index = pq.read_table(out / INDEX)
    at = index.column_names.index("junk_share")
    index = index.set_column(at, index.schema.field(at), pa.array(['{"mud":2}'] * len(index)))
    pq.write_table(index.replace_schema_metadata(None), out / INDEX)
    with pytest.raises(PicksError, match=r"by kind of junk.*make the table again"):
        PickTable(out)


def masks(folder, **excluded):
    folder.mkdir()
    for name, mask in excluded.items():
        Image.fromarray(255 * mask.astype(np.uint8)).save(folder / f"{name}.png")
    return {f"{name}.mrc": folder / f"{name}.png" for name in excluded}


def half():
    mask = np.zeros(SHAPE, bool)
    mask[:, :45] = True
    return mask


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("rows", [1, 10_000])
def test_a_mask_of_the_user_keeps_out_what_lies_in_it_and_nothing_else(tmp_path, monkeypatch, keep, rows):
    monkeypatch.setattr(partitions, "PARTITION_ROWS", rows)
    files = masks(tmp_path / "m", a=half(), b=~half(), d=np.zeros(SHAPE, bool))
    plain = pd.read_parquet(build(tmp_path, UNIT, "plain", keep_junk=keep))
    out = build(tmp_path, UNIT, keep_junk=keep, masks=files)
    frame = pd.read_parquet(out)
    inside = (frame.micrograph_id == "a.mrc") & (frame.x_px < 45)
    assert 0 < inside.sum() < 40
    assert (frame.junk[inside] == "masked").all()
    assert frame[~inside].equals(plain[~inside])
    assert not frame.picked[inside].any()
    assert plain.picked[inside].any()
    shares = {
        micrograph.micrograph_id: read_shares(micrograph.junk_share)
        for micrograph in PickTable(out).micrographs
    }
    assert shares["a.mrc"] == {"carbon": 0.25, "masked": 0.5}
    assert shares["b.mrc"] == {"carbon": 0.25, "masked": 0.5}  # without candidates, but with a mask
    assert shares["d.mrc"] == {"carbon": 0.25, "masked": 0}


def test_a_mask_that_cannot_be_read_masks_nothing(tmp_path):
    files = masks(tmp_path / "m", a=half().T, d=half())
    files["d.mrc"].write_bytes(b"no picture")
    frame = pd.read_parquet(build(tmp_path, UNIT, masks=files))
    assert "masked" not in set(frame.junk)
