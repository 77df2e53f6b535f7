import dataclasses
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from small_training import SmallRecipe, Told, dotted_row, losses, small_job, small_rows

from cryopick_ray.training.data import examples as examples_module
from cryopick_ray.training.data.batch_plan import BatchPlan, Spot
from cryopick_ray.training.data.examples import Examples, read_labelled
from cryopick_ray.training.data.views import View, Views
from cryopick_ray.training.loop.single_worker import train_here

PLACES = [[60.3, 50.6], [200.0, 77.7], [128.5, 190.2]]
SIGMA_PX = 6.0
BOTH = Views((0.7, 1.4), general=True)


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    return small_rows(tmp_path_factory.mktemp("store"), range(4))


def rng(seed=0):
    return np.random.default_rng(seed)


class Watched(SmallRecipe):
    """Remembers the micrographs that it was shown."""

    def __init__(self):
        super().__init__()
        object.__setattr__(self, "shown", [])

    def example(self, micrograph, slot, rng):
        self.shown.append(weakref.ref(micrograph))
        return super().example(micrograph, slot, rng)


@pytest.mark.parametrize("scale", [0.5, 0.8, 1.0, 1.3, 2.0])
@pytest.mark.parametrize("particle_px", [11.0, 20.0])
def test_particles_are_so_many_times_larger_and_labels_stay_on_them(tmp_path, particle_px, scale):
    source = dotted_row(tmp_path, PLACES, SIGMA_PX)
    found = read_labelled(source, SmallRecipe(particle_px=particle_px), View(scale))
    usual = read_labelled(source, SmallRecipe(particle_px=particle_px))
    assert (found.scale, usual.scale) == (scale, 1.0)
    rows_px, columns_px = np.indices(found.image.shape)
    for x_px, y_px in found.particles:
        near = np.hypot(columns_px - x_px, rows_px - y_px) < 1.4 * scale * particle_px
        mass = np.where(near, found.image, 0)
        off_px = [
            ((at - label) * mass).sum() / mass.sum() for at, label in ((columns_px, x_px), (rows_px, y_px))
        ]
        assert np.abs(off_px).max() < 0.1
        spread_px2 = ((columns_px - x_px) ** 2 + (rows_px - y_px) ** 2) * mass
        sigma_px = np.sqrt(spread_px2.sum() / mass.sum() / 2)
        assert sigma_px == pytest.approx(scale * SIGMA_PX * particle_px / 20, rel=0.02)
    np.testing.assert_allclose(found.particles, usual.particles * scale, rtol=0.02)
    np.testing.assert_array_equal(found.false, found.particles[:1])
    np.testing.assert_array_equal(found.unsure, found.particles[1:])


@given(low=st.floats(0.25, 1), high=st.floats(1, 4), seed=st.integers(0, 2**32))
def test_a_scale_lies_in_the_range(low, high, seed):
    assert low * (1 - 1e-9) <= Views((low, high)).draw(rng(seed)).scale <= high * (1 + 1e-9)


def test_scales_are_spread_evenly_in_the_logarithm():
    generator = rng()
    drawn = np.log([Views((0.5, 4.0)).draw(generator).scale for _ in range(4000)])
    counts, _ = np.histogram(drawn, bins=6, range=np.log([0.5, 4.0]))
    np.testing.assert_allclose(counts, 4000 / 6, rtol=0.12)


def test_one_scale_is_that_one():
    assert {Views((1.3, 1.3)).draw(rng(seed)).scale for seed in range(9)} == {1.3}
    assert not Views((1.3, 1.3)).differ
    assert Views((1.3, 1.31)).differ
    assert Views(general=True).differ


def test_without_variation_a_micrograph_is_as_it_is(rows):
    plain = read_labelled(rows[0], SmallRecipe(particle_px=14.0))
    seen = read_labelled(rows[0], SmallRecipe(particle_px=14.0), Views().draw(rng()))
    for field in dataclasses.fields(plain):
        np.testing.assert_array_equal(getattr(seen, field.name), getattr(plain, field.name))
    assert not Views().differ


def test_grey_values_vary_and_places_do_not(rows):
    plain = read_labelled(rows[0], SmallRecipe())
    smooth = gaussian_filter(plain.image, 4)  # fine detail may change its sign
    spectrum = np.fft.rfft2(smooth - smooth.mean())
    changed = 0
    for seed in range(40):
        seen = read_labelled(rows[0], SmallRecipe(), Views(general=True).draw(rng(seed)))
        np.testing.assert_array_equal(seen.particles, plain.particles)
        assert seen.image.shape == plain.image.shape
        together = np.fft.irfft2(np.conj(spectrum) * np.fft.rfft2(seen.image - seen.image.mean()))
        assert np.unravel_index(together.argmax(), together.shape) == (0, 0)  # nothing was moved
        changed += not np.array_equal(seen.image, plain.image)
    assert 20 < changed < 40


def test_grey_values_vary_before_they_are_normalised(rows):
    class Scored(SmallRecipe):
        def prepare(self, image):
            return (image - image.mean()) / image.std()

    for seed in range(5):
        image = read_labelled(rows[0], Scored(), Views(general=True).draw(rng(seed))).image
        assert (image.mean(), image.std()) == pytest.approx((0, 1), abs=1e-4)


def test_every_epoch_and_every_micrograph_has_a_view_of_its_own(rows):
    plan, recipe = BatchPlan(1, len(rows), 8, 3), Watched()
    examples, scales = Examples(recipe, rows, plan, views=BOTH), []
    for epoch in range(3):
        for spots in plan.batches(epoch, 0, 1):
            for spot in spots:
                examples[spot]
                shown = recipe.shown[-1]()
                scales.append((shown.micrograph_id, epoch, shown.scale))
    assert len(scales) == 3 * 3 * 8
    assert len(set(scales)) == len({scale for _, _, scale in scales}) == 3 * len(rows)


def batches(examples, epoch, workers):
    for shares in zip(*(examples().batches(epoch, rank, workers) for rank in range(workers)), strict=True):
        yield [torch.cat(parts) for parts in zip(*shares, strict=True)]


@pytest.mark.parametrize("workers", [2, 3])
def test_workers_together_see_what_one_sees(rows, workers):
    """Each with a process, so with a cache, of its own."""

    def examples():
        return Examples(SmallRecipe(), rows, BatchPlan(1, len(rows), 9, 3), views=BOTH)

    for epoch in (0, 1):
        alone, together = (list(batches(examples, epoch, count)) for count in (1, workers))
        assert len(alone) == len(together) == 3
        for one, other in zip(alone, together, strict=True):
            assert all(torch.equal(*pair) for pair in zip(one, other, strict=True))


def test_an_example_does_not_depend_on_those_before_it(rows):
    plan = BatchPlan(1, len(rows), 9, 3)
    gone_on, fresh = (Examples(SmallRecipe(), rows, plan, views=BOTH) for _ in range(2))
    list(gone_on.batches(0, 0, 1))
    assert torch.equal(gone_on[Spot(1, 2, 4)][0], fresh[Spot(1, 2, 4)][0])


@pytest.mark.parametrize(("views", "reads"), [(BOTH, 3), (Views((0.7, 1.4)), 3), (Views(), 1)])
def test_a_view_is_kept_for_its_epoch_and_no_longer(rows, monkeypatch, views, reads):
    read = []

    def counted(source, recipe, view):
        read.append(source.row.micrograph_id)
        return read_labelled(source, recipe, view)

    monkeypatch.setattr(examples_module, "read_labelled", counted)
    recipe, plan = Watched(), BatchPlan(1, len(rows), 8, 3)
    examples = Examples(recipe, rows, plan, views=views)
    for epoch in range(3):
        recipe.shown.clear()
        list(examples.batches(epoch, 0, 1))
        before = list(recipe.shown)
    assert sorted(read) == sorted(reads * [row.row.micrograph_id for row in rows])
    assert all(shown() is not None for shown in before)
    examples[Spot(3, 0, 0)]
    left = {id(shown()) for shown in before if shown() is not None}
    assert len(left) == (0 if views.differ else len(rows))


def test_only_training_micrographs_are_varied(tmp_path: Path):
    """A network that learns next to nothing is judged alike, whatever it was shown."""
    still = {"learning_rate": 1e-12, "epochs": 2}
    plain, varied = (
        losses(
            train_here(
                small_job(tmp_path / "store", **still, views=views),
                tmp_path / str(number),
                torch.device("cpu"),
                Told(),
            )
        )
        for number, views in enumerate((Views(), BOTH))
    )
    np.testing.assert_allclose(varied[:, 1], plain[:, 1], rtol=1e-6)
    assert np.abs(varied[:, 0] - plain[:, 0]).min() > 1e-6


def test_a_share_of_the_views_is_noise_without_particles(rows):
    views = Views(scrambled=0.3)
    drawn = [views.draw(rng(seed)) for seed in range(400)]
    assert 80 < sum(view.is_empty for view in drawn) < 160
    empty = next(view for view in drawn if view.is_empty)
    usual, found = read_labelled(rows[0], SmallRecipe()), read_labelled(rows[0], SmallRecipe(), empty)
    assert len(usual.particles)
    assert not len(found.particles) + len(found.false) + len(found.unsure)
    assert found.image.std() == pytest.approx(usual.image.std(), rel=0.05)
    assert abs(np.corrcoef(found.image.ravel(), usual.image.ravel())[0, 1]) < 0.1
    assert not any(Views((0.8, 1.2), general=True).draw(rng(seed)).is_empty for seed in range(50))
