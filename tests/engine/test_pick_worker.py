import mrcfile
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torn_store import picks

from cryopick_ray.errors import DeviceError, UnreachableError
from cryopick_ray.micrographs.sources import MicrographSource
from cryopick_ray.pickers.topaz.picker import TopazPicker
from cryopick_ray.picks.shards import PickShards
from cryopick_ray.settings.run_settings import IngestSettings, PickSettings
from cryopick_ray.simulate.phantom import make_phantom
from cryopick_ray.stages.ingest_worker import IngestWorker
from cryopick_ray.stages.pick_worker import PickWorker, chunked
from cryopick_ray.store.manifest import ManifestRow, read_manifest
from cryopick_ray.store.store import MicrographStore


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


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_micrographs_of_both_polarities_are_picked_alike_in_any_order(tmp_path, monkeypatch, dtype):
    store = MicrographStore(str(tmp_path / "s.zarr"), create=True)
    sources = []
    for seed, (name, sign) in enumerate({"a": 1, "b": -1, "c": -1, "d": 1}.items()):
        made = make_phantom(seed, shape=(400, 416), pixel_size_A=4.0, diameter_A=150, particles=14)
        mrcfile.write(tmp_path / f"{name}.mrc", sign * made.pixels, voxel_size=4.0)
        sources.append(MicrographSource(name, "set", tmp_path / f"{name}.mrc", name))
    IngestWorker(store.place.url, IngestSettings()).process(sources)
    settings = PickSettings(diameter_A=150, dtype=dtype)
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


def test_particles_have_their_size_in_angstroms_whatever_they_are_picked_for(tmp_path, monkeypatch):
    made = make_phantom(3, shape=(500, 516), pixel_size_A=4.0, diameter_A=150, particles=20)
    mrcfile.write(tmp_path / "a.mrc", made.pixels, voxel_size=4.0)
    store = MicrographStore(str(tmp_path / "s.zarr"), create=True)
    sources = [MicrographSource("a", "set", tmp_path / "a.mrc", "a")]
    IngestWorker(store.place.url, IngestSettings()).process(sources)
    relative = {}
    for diameter_A in (130, 150, 180):
        settings = PickSettings(diameter_A=diameter_A, dtype="float32", invert="no")
        _, table, _ = picks(store, tmp_path / str(diameter_A), settings, monkeypatch, 1)
        sure = table[table["score"] > 0.5]
        assert len(sure) > 8
        assert sure["size_A"].median() == pytest.approx(150, rel=0.2)
        relative[diameter_A] = sure["size_A"].median() / diameter_A
    assert relative[130] > relative[150] > relative[180]


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
