from dataclasses import replace

import numpy as np
import pytest
from torn_store import picks

from cryopick_ray.micrographs.junk import Junk, read_shares
from cryopick_ray.pickers.topaz.picker import TopazPicker
from cryopick_ray.picks.shards import PickShards
from cryopick_ray.settings.run_settings import PickSettings
from cryopick_ray.stages.ledger import covered_ids
from cryopick_ray.stages.pick_worker import PickWorker
from cryopick_ray.store.manifest import read_manifest
from cryopick_ray.store.masks import MaskShelf, read_stored_mask


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
            replace(with_mask, junk=np.arange(len(with_mask), dtype=np.uint8) % 6)
            for with_mask in with_masks(self, images)
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
