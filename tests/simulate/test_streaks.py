import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryopick_ray.errors import UsageError
from cryopick_ray.settings.config import assigned
from cryopick_ray.simulate.contamination import KINDS
from cryopick_ray.simulate.library import load_molecule
from cryopick_ray.simulate.simulated_micrograph import simulate
from cryopick_ray.simulate.simulation_settings import simulation_settings
from cryopick_ray.simulate.streaks import draw_widths, mark, streak

WIDTHS = st.tuples(*[st.integers(0, 9)] * 4)
SHAPES = st.tuples(st.integers(20, 50), st.integers(20, 50))
CLEAN = [f"contamination.{kind}.probability=0" for kind in KINDS]


def rng(seed=0):
    return np.random.default_rng(seed)


def noise(shape, seed=0):
    return rng(seed).normal(size=shape).astype(np.float32)


def inside(shape, widths):
    top, bottom, left, right = widths
    return slice(top, shape[0] - bottom), slice(left, shape[1] - right)


@given(shape=SHAPES, widths=WIDTHS)
def test_borders_repeat_the_outermost_line_and_the_inside_is_untouched(shape, widths):
    image = noise(shape)
    before = image.copy()
    streaked = streak(image, widths)
    assert (streaked.shape, streaked.dtype) == (shape, np.float32)
    rows, columns = inside(shape, widths)
    assert np.array_equal(streaked[rows, columns], image[rows, columns])
    assert np.all(streaked[: rows.start] == streaked[rows.start])
    assert np.all(streaked[rows.stop :] == streaked[rows.stop - 1])
    assert np.all(streaked[:, : columns.start] == streaked[:, columns.start, None])
    assert np.all(streaked[:, columns.stop :] == streaked[:, columns.stop - 1, None])
    assert np.array_equal(image, before)
    assert np.array_equal(streak(streaked, widths), streaked)


@given(shape=SHAPES, widths=WIDTHS, seed=st.integers(0, 99))
def test_the_mask_is_true_on_streaks_and_as_it_was_inside(shape, widths, seed):
    mask = rng(seed).random(shape) < 0.3
    before = mask.copy()
    marked = mark(mask, widths)
    rows, columns = inside(shape, widths)
    assert np.array_equal(marked[rows, columns], mask[rows, columns])
    outside = np.ones(shape, bool)
    outside[rows, columns] = False
    assert marked[outside].all()
    assert np.array_equal(mask, before)


def test_each_border_has_a_width_of_its_own_from_all_that_are_asked_for():
    drawn = np.array([draw_widths(rng(seed), (400, 300), (2, 5)) for seed in range(200)])
    assert set(np.unique(drawn)) == {2, 3, 4, 5}
    assert np.abs(np.corrcoef(drawn.T) - np.eye(4)).max() < 0.3


@given(shape=SHAPES, seed=st.integers(0, 99))
def test_streaks_never_meet(shape, seed):
    widths = draw_widths(rng(seed), shape, (0, 100_000))
    rows, columns = inside(shape, widths)
    assert rows.stop - rows.start >= shape[0] / 2
    assert columns.stop - columns.start >= shape[1] / 2


def plan(*texts):
    data = {"molecules": ["apoferritin"], "height_px": 320, "width_px": 384, "pixel_size_A": 5.0}
    return simulation_settings(assigned(data, ["scene.particles=30", *texts]))


def make(*texts, number=0):
    settings = plan(*texts)
    return simulate(settings, [load_molecule(name) for name in settings.molecules], number)


def same(one, other):
    return [
        np.array_equal(ours, theirs)
        for ours, theirs in (
            (one.pixels, other.pixels),
            (one.mask, other.mask),
            (one.rotations, other.rotations),
            *((getattr(one.scene, name), getattr(other.scene, name)) for name in vars(one.scene)),
        )
    ]


@pytest.mark.parametrize("number", range(3))
def test_no_particle_counts_on_streaks(number):
    made = make(*CLEAN, "exposure.streaks_px=[40, 60]", number=number)
    for border in (made.mask[:40], made.mask[-40:], made.mask[:, :40], made.mask[:, -40:]):
        assert border.all()
    assert not made.mask[61:-61, 61:-61].any()
    assert np.array_equal(made.pixels[:40], np.broadcast_to(made.pixels[0], (40, 384)))
    assert np.array_equal(made.pixels[:, -40:], np.broadcast_to(made.pixels[:, -1:], (320, 40)))
    counted = made.scene.pickable
    row, column = (np.rint(at[counted]).astype(int) for at in (made.scene.y_px, made.scene.x_px))
    assert counted.sum() > 5
    assert not made.mask[row, column].any()


def test_streaks_are_marked_beside_the_contamination():
    carbon = [*CLEAN, "contamination.carbon.probability=1"]
    without, streaked = make(*carbon), make(*carbon, "exposure.streaks_px=30")
    assert without.mask.any()
    assert not without.mask.all()
    assert np.array_equal(streaked.mask, mark(without.mask, (30, 30, 30, 30)))


def test_streaks_cover_a_micrograph_that_is_otherwise_what_it_was():
    empty = [*CLEAN, "scene.empty_probability=1"]
    plain, streaked = make(*empty), make(*empty, "exposure.streaks_px=[10, 30]")
    across, down = ~streaked.mask[:, 192], ~streaked.mask[160]  # what is left of the middle lines
    widths = tuple(int(line.argmax()) for line in (across, across[::-1], down, down[::-1]))
    assert len(set(widths)) > 1
    assert all(10 <= width <= 30 for width in widths)
    assert np.array_equal(streaked.pixels, streak(plain.pixels, widths))


def test_variety_changes_how_molecules_look_and_nothing_else():
    plain, various = make(), make("variety=1")
    assert various.microscope == plain.microscope
    pixels, *others = same(various, plain)
    assert all(others)
    assert not pixels


def test_without_streaks_and_variety_seeds_give_what_they_always_gave():
    made = make(number=1)
    assert made.scene.x_px[:3] == pytest.approx([375.3191253, 22.8539025, 184.0350135], abs=1e-6)
    assert made.microscope.defocus.u_A == pytest.approx(28169.2925, abs=1e-3)
    assert made.rotations[0, 0] == pytest.approx([-0.5788834, 0.0564629, 0.8134531], abs=1e-6)
    assert made.mask.sum() == pytest.approx(5817, rel=0.01)
    assert (made.pixels.mean(), made.pixels.std()) == pytest.approx((1484.569, 62.431), rel=1e-3)


def test_seeds_reproduce_streaks_and_shapes():
    texts = ["exposure.streaks_px=[0, 50]", "variety=[0, 1]"]
    assert all(same(make(*texts), make(*texts)))
    assert not any(same(make(*texts), make(*texts, "seed=1"))[:2])
    assert not same(make(*texts), make(*texts, number=1))[0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("exposure.streaks_px=-1", "streaks_px"),
        ("exposure.streaks_px=1.5", "streaks_px"),
        ("variety=1.5", "variety"),
        ("variety=[1, 0]", "variety"),
    ],
)
def test_what_cannot_be_is_named(text, words):
    with pytest.raises(UsageError, match=words):
        plan(text)
