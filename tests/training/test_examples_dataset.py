import dataclasses
import weakref
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from small_training import DIAMETER_A, PIXEL_SIZE_A, SIDE_PX, SmallRecipe, dotted_row, small_rows

from cryopick_ray.errors import StoreError
from cryopick_ray.micrographs.resample import fourier_resize
from cryopick_ray.store.store import MicrographStore
from cryopick_ray.training.data import examples
from cryopick_ray.training.data.batch_plan import BatchPlan
from cryopick_ray.training.data.examples import Examples, check_readable, read_labelled

SCALES = [8.0, 13.0, DIAMETER_A / PIXEL_SIZE_A, 27.0]


@dataclass(frozen=True)
class Doubling(SmallRecipe):
    """Its normalisation leaves a mark."""

    def prepare(self, image):
        return 2 * image + 1


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    return small_rows(tmp_path_factory.mktemp("store"), range(4))


def stored(row):
    return MicrographStore(row.store_url).read(row.row)


@pytest.mark.parametrize("particle_px", SCALES)
def test_the_image_is_the_stored_one_resampled_and_normalised(rows, particle_px):
    source = rows[0]
    found = read_labelled(source, Doubling(particle_px=particle_px))
    side = 2 * round(SIDE_PX * particle_px / (DIAMETER_A / PIXEL_SIZE_A) / 2)
    assert found.image.shape == (side, side)
    assert found.image.dtype == np.float32
    np.testing.assert_allclose(found.image, 2 * fourier_resize(stored(source), (side, side)) + 1, atol=1e-5)
    assert (found.micrograph_id, found.dataset) == (source.row.micrograph_id, source.dataset)


@pytest.mark.parametrize("particle_px", SCALES)
@pytest.mark.parametrize("store_side_px", [SIDE_PX, 160])
def test_labels_stay_on_what_they_label(tmp_path, particle_px, store_side_px):
    """Whatever the scale of the store, of the recipe and of the source micrograph."""
    places = [[60.3, 50.6], [200.0, 77.7], [128.5, 190.2]]
    source = dotted_row(tmp_path, places, store_side_px=store_side_px)
    found = read_labelled(source, SmallRecipe(particle_px=particle_px))
    rows_px, columns_px = np.indices(found.image.shape)
    for x_px, y_px in found.particles:
        near = np.where(np.hypot(columns_px - x_px, rows_px - y_px) < particle_px, found.image, 0)
        off = [(columns_px * near).sum() / near.sum() - x_px, (rows_px * near).sum() / near.sum() - y_px]
        assert np.abs(off).max() < 0.1
    np.testing.assert_array_equal(found.false, found.particles[:1])
    np.testing.assert_array_equal(found.unsure, found.particles[1:])


def test_bright_particles_become_dark_ones(rows):
    bright = dataclasses.replace(rows[0], sign=-1)
    one, other = (read_labelled(row, SmallRecipe(particle_px=11)) for row in (rows[0], bright))
    np.testing.assert_allclose(other.image, -one.image, atol=1e-5)
    np.testing.assert_array_equal(other.particles, one.particles)


def drawn(examples, plan, epochs=2, workers=1):
    return [
        [torch.cat(parts) for parts in zip(*shares, strict=True)]
        for epoch in range(epochs)
        for shares in zip(*(examples.batches(epoch, rank, workers) for rank in range(workers)), strict=True)
    ]


@pytest.mark.parametrize("workers", [2, 3])
def test_workers_together_draw_the_examples_of_one(rows, workers):
    plan = BatchPlan(1, len(rows), 9, 3)
    alone = drawn(Examples(SmallRecipe(), rows, plan), plan)
    together = drawn(Examples(SmallRecipe(), rows, plan), plan, workers=workers)
    assert len(alone) == len(together) == 6
    for one, other in zip(alone, together, strict=True):
        assert one[0].shape == (9, 1, 24, 24)
        assert all(torch.equal(*pair) for pair in zip(one, other, strict=True))
    assert not torch.equal(alone[0][0], alone[3][0])


@pytest.mark.parametrize("room", [0.0, 1.0, 2.5])
def test_the_cache_is_bounded_and_changes_nothing(rows, monkeypatch, room):
    plan = BatchPlan(1, len(rows), 9, 3)
    whole = drawn(Examples(SmallRecipe(), rows, plan), plan)
    image_bytes = 4 * SIDE_PX**2
    alive, most = weakref.WeakSet(), []

    class Watched(SmallRecipe):
        def prepare(self, image):
            return image.copy()

        def example(self, micrograph, slot, rng):
            alive.add(micrograph)
            most.append(len(alive))
            return super().example(micrograph, slot, rng)

    monkeypatch.setattr(examples, "CACHE_BYTES", int(room * image_bytes))
    bounded = drawn(Examples(Watched(), rows, plan), plan)
    for one, other in zip(whole, bounded, strict=True):
        assert all(torch.equal(*pair) for pair in zip(one, other, strict=True))
    assert max(most) == max(1, int(room))


def test_a_worker_reads_only_its_own_micrographs_and_each_once(rows, monkeypatch):
    reads = []

    def counted(source, recipe, view):
        reads.append(source.row.micrograph_id)
        return read_labelled(source, recipe, view)

    monkeypatch.setattr(examples, "read_labelled", counted)
    plan = BatchPlan(1, len(rows), 4, 5)
    for rank in range(2):
        list(Examples(SmallRecipe(), rows, plan).batches(0, rank, 2))
    assert sorted(reads) == sorted(row.row.micrograph_id for row in rows)


def test_a_store_that_lacks_a_micrograph_is_found_out_first(rows):
    check_readable(rows)
    lost = dataclasses.replace(rows[0], row=dataclasses.replace(rows[0].row, micrograph_id="lost.mrc"))
    with pytest.raises(StoreError, match=r"lacks lost\.mrc"):
        check_readable([*rows, lost])
    cut = dataclasses.replace(rows[0], row=dataclasses.replace(rows[0].row, shard_bytes=5))
    with pytest.raises(StoreError, match=r"lacks 0\.mrc"):
        check_readable([cut])
