from dataclasses import replace

import mrcfile
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cryopick_ray.errors import DeviceError, UnreachableError
from cryopick_ray.micrographs.junk import Junk, read_shares
from cryopick_ray.micrographs.sources import MicrographSource
from cryopick_ray.pickers.topaz.networks import TopazNetwork
from cryopick_ray.pickers.topaz.picker import TopazPicker
from cryopick_ray.pickers.weights import ModelCard, save_model, weights_digest
from cryopick_ray.picks.shards import PickShards
from cryopick_ray.settings import IngestSettings, PickSettings
from cryopick_ray.simulate.phantom import make_phantom
from cryopick_ray.stages import pick_worker
from cryopick_ray.stages.ingest_worker import IngestWorker
from cryopick_ray.stages.ledger import covered_ids
from cryopick_ray.stages.pick_worker import PickWorker, chunked
from cryopick_ray.store.layout import shard_key
from cryopick_ray.store.manifest import ManifestRow, read_manifest
from cryopick_ray.store.masks import MaskShelf, read_stored_mask
from cryopick_ray.store.store import MicrographStore


@pytest.fixture
def model(tmp_path):
    torch.manual_seed(0)
    state = TopazNetwork("topaz-resnet8", 2).state_dict()
    card = {
        "name": "tiny",
        "architecture": "topaz-resnet8",
        "parameters": {"units": 2},
        "particle_px": 20.0,
        "normalisation": "topaz-gmm",
        "trained_on": "nothing",
        "licence": "CC0-1.0",
        "source": "a test",
        "digest": weights_digest(state),
    }
    save_model(tmp_path / "tiny.safetensors", state, ModelCard.model_validate(card))
    return str(tmp_path / "tiny.safetensors")


@pytest.fixture
def store(tmp_path):
    """Six micrographs of two shapes, the third one's shard torn."""
    sources = []
    for seed, shape in enumerate([(256, 300)] * 5 + [(280, 256)]):
        path = tmp_path / f"{seed}.mrc"
        pixels = make_phantom(seed, shape=shape, particles=5).pixels
        mrcfile.write(path, pixels, voxel_size=3.0)
        sources.append(MicrographSource(path.name, "set", path, path.name))
    store = MicrographStore(str(tmp_path / "s.zarr"), create=True)
    IngestWorker(store.place.url, IngestSettings()).process(sources)
    torn = store.place.get(shard_key("2.mrc"))
    store.place.put(shard_key("2.mrc"), torn[:-100] + bytes(100))
    return store


def picks(store, folder, settings, monkeypatch, most):
    monkeypatch.setattr(pick_worker, "most_at_once", lambda picker: most)
    rows = sorted(read_manifest(store.place).values(), key=lambda row: row.micrograph_id)
    report = PickWorker(store.place.url, str(folder), "d", settings, "cpu").process(rows)
    shards = PickShards(str(folder), "d")
    table, coverage = shards.read(shards.published()[0])
    return report, table.to_pandas(), coverage


def test_batches_find_what_single_micrographs_do_and_lose_only_the_torn_one(
    store, model, tmp_path, monkeypatch
):
    settings = PickSettings(model=model, diameter_A=150, dtype="float32")
    report, alone, coverage = picks(store, tmp_path / "alone", settings, monkeypatch, 1)
    assert [line.micrograph_id for line in coverage] == [f"{n}.mrc" for n in (0, 1, 3, 4, 5)]
    [(name, reason)] = report.damaged
    assert (name, report.failures) == ("2.mrc", ())
    assert "damaged" in reason
    assert len(alone) == report.candidates > 20
    _, together, same = picks(store, tmp_path / "together", settings, monkeypatch, 4)
    assert same == coverage
    np.testing.assert_allclose(together["x_px"], alone["x_px"], atol=1e-3)
    np.testing.assert_allclose(together["score"], alone["score"], atol=1e-4)


def test_inverted_is_what_the_negatives_would_be(store, model, tmp_path, monkeypatch):
    settings = PickSettings(model=model, diameter_A=150, dtype="float32", invert="yes")
    _, inverted, _ = picks(store, tmp_path / "inverted", settings, monkeypatch, 1)
    read = MicrographStore.read_stored
    monkeypatch.setattr(MicrographStore, "read_stored", lambda self, row: -read(self, row))
    plain = settings.model_copy(update={"invert": "no"})
    _, negatives, _ = picks(store, tmp_path / "negatives", plain, monkeypatch, 1)
    assert inverted.equals(negatives)


def test_micrographs_of_both_polarities_are_picked_alike_in_any_order(tmp_path, monkeypatch):
    store = MicrographStore(str(tmp_path / "s.zarr"), create=True)
    sources = []
    for seed, (name, sign) in enumerate({"a": 1, "b": -1, "c": -1, "d": 1}.items()):
        made = make_phantom(seed, shape=(400, 416), pixel_size_A=4.0, diameter_A=150, particles=14)
        mrcfile.write(tmp_path / f"{name}.mrc", sign * made.pixels, voxel_size=4.0)
        sources.append(MicrographSource(name, "set", tmp_path / f"{name}.mrc", name))
    IngestWorker(store.place.url, IngestSettings()).process(sources)
    settings = PickSettings(diameter_A=150, dtype="float32")
    _, table, coverage = picks(store, tmp_path / "auto", settings, monkeypatch, 1)
    assert [line.inverted for line in coverage] == [False, True, True, False]
    for sign, names in (("no", "ad"), ("yes", "bc")):
        said = settings.model_copy(update={"invert": sign})
        _, one, lines = picks(store, tmp_path / sign, said, monkeypatch, 1)
        assert [line.inverted for line in lines] == [sign == "yes"] * 4
        own = table[table.micrograph_id.isin([*names])]
        assert own.equals(one[one.micrograph_id.isin([*names])].set_axis(own.index))
    rows = read_manifest(store.place)
    shards = PickShards(str(tmp_path / "singly"), "d", create=True)
    for name in "dcba":
        PickWorker(store.place.url, str(tmp_path / "singly"), "d", settings, "cpu").process([rows[name]])
    singly = pd.concat([shards.read(key)[0].to_pandas() for key in shards.published()])
    order = ["micrograph_id", "score", "y_px", "x_px"]
    again, before = (one.astype({"micrograph_id": str}).sort_values(order) for one in (singly, table))
    assert np.array_equal(again.to_numpy(), before.to_numpy())


def row(index, side, pixel_size_A):
    return ManifestRow(
        f"{index}.mrc", "set", "", "", "", 100, side, pixel_size_A, 50, side // 2, 1, None, None, None,
        "complete", "",
    )  # fmt: skip


@given(
    kinds=st.lists(st.tuples(st.sampled_from([80, 100]), st.sampled_from([1.0, 2.0])), max_size=20),
    most=st.integers(1, 7),
)
def test_chunks_hold_every_row_once_and_only_one_shape_in_order(kinds, most):
    rows = [row(index, *kind) for index, kind in enumerate(kinds)]
    chunks = chunked(rows, 3.0, most)
    assert sorted(one.micrograph_id for chunk in chunks for one in chunk.rows) == sorted(
        one.micrograph_id for one in rows
    )
    assert sum(len(chunk.rows) == most for chunk in chunks) >= sum(
        kinds.count(kind) // most for kind in set(kinds)
    )
    for chunk in chunks:
        assert sorted(chunk.rows, key=rows.index) == list(chunk.rows)
        assert 1 <= len(chunk.rows) <= most
        assert len({(one.shape, one.pixel_size_A) for one in chunk.rows}) == 1


def test_a_batch_too_large_for_the_device_is_halved_once_and_nothing_is_lost(
    store, model, tmp_path, monkeypatch
):
    asked = []
    pick_many = TopazPicker.pick_many

    def on_a_small_device(self, images):
        asked.append(len(images))
        if len(images) > 1:
            raise torch.OutOfMemoryError("for two there is no room")
        return pick_many(self, images)

    settings = PickSettings(model=model, diameter_A=150, dtype="float32")
    _, alone, coverage = picks(store, tmp_path / "alone", settings, monkeypatch, 1)
    monkeypatch.setattr(TopazPicker, "pick_many", on_a_small_device)
    _, halved, same = picks(store, tmp_path / "halved", settings, monkeypatch, 2)
    assert same == coverage
    assert halved.equals(alone)
    assert asked == [2, 1, 1, 1, 1, 1]  # tried once; the torn one is never asked about


def worker(store, folder, model="log", **options):
    settings = PickSettings(model=model, diameter_A=150, dtype="float32")
    return PickWorker(store.place.url, str(folder), "d", settings, "cpu", **options)


def rows_of(store):
    return list(read_manifest(store.place).values())


def test_damaged_micrographs_are_reported_and_nothing_is_published_of_them(store, tmp_path):
    report = worker(store, tmp_path / "picks").process(rows_of(store))
    assert (report.complete, report.failures, [name for name, _ in report.damaged]) == (5, (), ["2.mrc"])
    shards = PickShards(str(tmp_path / "picks"), "d")
    [key] = shards.published()
    assert [line.micrograph_id for line in shards.read(key)[1]] == [f"{n}.mrc" for n in (0, 1, 3, 4, 5)]


def test_a_worker_told_to_leave_publishes_what_it_has_and_tells_the_rest(store, tmp_path):
    answers = iter([False, False, True])
    report = worker(store, tmp_path / "picks").process(rows_of(store), lambda: next(answers, True))
    begun = len(rows_of(store)) - len(report.undone)
    assert 0 < begun < 6
    assert report.complete + len(report.failures) == begun
    shards = PickShards(str(tmp_path / "picks"), "d")
    [key] = shards.published()
    covered = {line.micrograph_id for line in shards.read(key)[1]}
    undone = {rows_of(store)[position].micrograph_id for position in report.undone}
    assert covered | undone == {f"{n}.mrc" for n in range(6)}
    assert not covered & undone


def test_a_worker_that_may_begin_nothing_publishes_nothing(store, tmp_path):
    report = worker(store, tmp_path / "picks").process(rows_of(store), lambda: True)
    assert (report.complete, report.undone) == (0, tuple(range(6)))
    assert PickShards(str(tmp_path / "picks"), "d").published() == []


def test_a_unit_that_is_published_is_reported_and_not_picked_again(store, tmp_path, monkeypatch):
    whole = [row for row in rows_of(store) if row.micrograph_id != "2.mrc"]
    first = worker(store, tmp_path / "picks").process(whole)
    monkeypatch.setattr(PickWorker, "_read", None)
    again = worker(store, tmp_path / "picks").process(whole)
    assert (again.complete, again.failures, again.candidates) == (
        first.complete,
        first.failures,
        first.candidates,
    )


def test_a_store_that_cannot_be_reached_is_no_failure_of_a_micrograph(store, tmp_path, monkeypatch):
    def unreachable(self, row):
        raise UnreachableError("the bucket does not answer")

    monkeypatch.setattr(MicrographStore, "read_stored", unreachable)
    with pytest.raises(UnreachableError):
        worker(store, tmp_path / "picks").process(rows_of(store))
    assert PickShards(str(tmp_path / "picks"), "d").published() == []


def test_a_gpu_that_fails_is_no_failure_of_a_micrograph(store, tmp_path, monkeypatch):
    def broken(self, images):
        raise torch.AcceleratorError("CUDA error: uncorrectable ECC error encountered")

    one = worker(store, tmp_path / "picks")
    monkeypatch.setattr(type(one._picker), "pick_many", broken)
    with pytest.raises(DeviceError, match="uncorrectable ECC error"):
        one.process(rows_of(store))
    assert PickShards(str(tmp_path / "picks"), "d").published() == []


def seeing(monkeypatch, sees=lambda codes: codes):
    """Let the network see carbon in the left half, ice in the lower right quarter and nothing else."""
    pick_many = TopazPicker.pick_many
    mask = np.zeros((6, 8), np.uint8)
    mask[:, :4], mask[3:, 4:] = Junk.CARBON, Junk.ICE

    def with_masks(self, images):
        return [replace(one, mask=sees(mask)) for one in pick_many(self, images)]

    monkeypatch.setattr(TopazPicker, "pick_many", with_masks)
    return mask


def test_masks_lie_in_the_store_and_candidates_know_what_they_lie_on(store, model, tmp_path, monkeypatch):
    settings = PickSettings(model=model, diameter_A=150, dtype="float32")
    _, blind, _ = picks(store, tmp_path / "blind", settings, monkeypatch, 1)
    assert not blind["junk"].any()
    assert store.place.sizes("masks") == {}
    mask = seeing(monkeypatch)
    _, table, coverage = picks(store, tmp_path / "seen", settings, monkeypatch, 1)
    columns = ["micrograph_id", "x_px", "y_px", "score"]
    assert table[columns].astype({"micrograph_id": str}).equals(blind[columns].astype({"micrograph_id": str}))
    rows = read_manifest(store.place)
    for line in coverage:
        stored = read_stored_mask(store.place, line.mask)
        assert np.array_equal(stored.codes, mask)
        assert read_shares(line.junk_share) == {"carbon": 0.5, "ice": 0.25}
        own = table[table.micrograph_id == line.micrograph_id]
        left, top, width, height = stored.frame(rows[line.micrograph_id].source_shape)
        across = (own.x_px + 0.5 - left) / width  # from the grid's edges, in the source
        down = (own.y_px + 0.5 - top) / height
        expected = np.where(across < 0.5, Junk.CARBON, np.where(down < 0.5, Junk.NONE, Junk.ICE))
        assert np.array_equal(own.junk, expected)
    assert set(table.junk) == {Junk.NONE, Junk.CARBON, Junk.ICE}


def test_what_the_picker_says_of_a_candidate_counts_before_its_mask(store, model, tmp_path, monkeypatch):
    seeing(monkeypatch)
    with_masks = TopazPicker.pick_many

    def with_codes(self, images):
        return [
            replace(one, junk=np.arange(len(one), dtype=np.uint8) % 6) for one in with_masks(self, images)
        ]

    monkeypatch.setattr(TopazPicker, "pick_many", with_codes)
    settings = PickSettings(model=model, diameter_A=150, dtype="float32")
    _, table, _ = picks(store, tmp_path / "seen", settings, monkeypatch, 1)
    expected = table.groupby("micrograph_id", observed=True).cumcount() % 6
    assert np.array_equal(table.junk, expected)


def test_a_clear_mask_is_known_without_a_file(store, model, tmp_path, monkeypatch):
    seeing(monkeypatch, np.zeros_like)
    settings = PickSettings(model=model, diameter_A=150, dtype="float32")
    _, table, coverage = picks(store, tmp_path / "clear", settings, monkeypatch, 1)
    assert {(line.mask, line.junk_share) for line in coverage} == {("", "{}")}
    assert not table.junk.any()
    assert store.place.sizes("masks") == {}


def test_a_worker_killed_between_mask_and_shard_leaves_nothing_doubled(store, model, tmp_path, monkeypatch):
    seeing(monkeypatch)
    settings = PickSettings(model=model, diameter_A=150, dtype="float32")

    def killed(self, picked):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(PickShards, "publish", killed)
        with pytest.raises(KeyboardInterrupt):
            picks(store, tmp_path / "picks", settings, monkeypatch, 1)
    shards = PickShards(str(tmp_path / "picks"), "d")
    masks = store.place.sizes("masks")
    assert len([key for key in masks if key.endswith(".png")]) == 5
    assert shards.published() == []
    _, _, coverage = picks(store, tmp_path / "picks", settings, monkeypatch, 1)
    assert store.place.sizes("masks") == masks
    assert {line.mask for line in coverage} == {key for key in masks if key.endswith(".png")}


def test_a_lost_mask_is_picked_again_and_no_other(store, model, tmp_path, monkeypatch):
    seeing(monkeypatch)
    settings = PickSettings(model=model, diameter_A=150, dtype="float32")
    one = PickWorker(store.place.url, str(tmp_path / "picks"), "d", settings, "cpu")
    rows = read_manifest(store.place)
    for name in ("0.mrc", "1.mrc"):
        one.process([rows[name]])
    shards, there = PickShards(str(tmp_path / "picks"), "d"), MaskShelf(store.place, "d").keys
    assert covered_ids(shards, rows, there) == (
        {name: rows[name].checksum for name in ("0.mrc", "1.mrc")},
        [],
    )
    [lost] = [key for key in there() if "/0.mrc-" in key]
    whole = store.place.get(lost)
    store.place.delete(lost)
    covered, [complaint] = covered_ids(shards, rows, there)
    assert [*covered] == ["1.mrc"]
    assert lost in complaint
    one.process([rows["0.mrc"]])
    assert store.place.get(lost) == whole
    assert covered_ids(shards, rows, there)[0].keys() == {"0.mrc", "1.mrc"}
