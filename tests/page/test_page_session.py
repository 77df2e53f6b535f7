"""A person mends a run in a real browser; its coordinates and the labels that it teaches are exactly that."""

import numpy as np
import starfile
from browsed import empty_place, picks_of
from selenium.webdriver.common.keys import Keys

from cryopick_ray.training.data.table_labels import read_table_labels

REACH_PX = 1.0


def replayed(x_px, y_px, rows):
    """Return the places that are left of picks by what a person's rows say, told apart by hand."""
    there = [(float(x), float(y)) for x, y in zip(x_px, y_px, strict=True)]
    for row in rows:
        assert row.action in ("add", "remove"), row
        if row.action == "add":
            there.append((row.x_px, row.y_px))
        else:
            near = [one for one in there if np.hypot(one[0] - row.x_px, one[1] - row.y_px) < REACH_PX]
            assert len(near) == 1, row
            there.remove(near[0])
    return np.array(sorted(there))


def by_mouse(look, i, x, y):
    """Remove six picks, move four, add four."""
    look.open(i)
    away = np.hypot(x[:, None] - x, y[:, None] - y) + 1e6 * np.eye(len(x))
    inside = (x > 45) & (x < 530) & (y > 45) & (y < 465)
    alone = np.flatnonzero((away.min(axis=1) > 42) & inside)
    assert len(alone) >= 10
    for k in alone[:6]:
        look.click(x[k], y[k])
    for k in alone[6:10]:
        look.drag((x[k], y[k]), (x[k] + 9, y[k] - 7))
    for _ in range(4):
        look.rows()  # what is empty is asked of the page
        look.click(*empty_place(look.page, i))


def by_keyboard(look, i):
    """Remove eight picks, move two, add six, of which one is undone."""
    look.open(i)
    for _ in range(8):
        look.press("j", "x")
        look.rows()
    look.press(Keys.ESCAPE)
    for _ in range(2):
        look.press("j", "m", Keys.ARROW_LEFT, Keys.ARROW_UP, "m")
        look.rows()
    for _ in range(6):
        look.press(Keys.SHIFT + Keys.ARROW_RIGHT, Keys.ARROW_DOWN, "a")
        look.rows()
    look.press("u")


def test_thirty_picks_are_mended_and_coordinates_and_labels_are_exactly_that(look):
    ids = look.page.json("api/micrographs")["columns"]["id"]
    mouse, keyboard, out, left = (ids.index(f"square{k % 2}/{k:02d}.mrc") for k in (0, 1, 2, 3))
    before = {i: picks_of(look.page, i) for i in (mouse, keyboard, left)}
    look.open(out)
    look.press("e")
    by_mouse(look, mouse, *before[mouse])
    by_keyboard(look, keyboard)
    look.wait(lambda: look.actions()["add"] == 15)
    rows = look.rows()
    assert look.actions() == {"exclude": 1, "remove": 20, "add": 15}
    assert look.errors() == []

    job = look.page.start(what="apply")
    assert job["state"] == "done", job
    run = look.page.folder.parent
    labels = read_table_labels(run, None)
    star = starfile.read(run / "coordinates" / "particles.star")["particles"]
    names = star["rlnMicrographName"].str.split("/").str[-1]
    for i, (x, y) in before.items():
        name = ids[i].split("/")[-1]
        wanted = replayed(x, y, [row for row in rows if row.micrograph_id == ids[i]])
        written = star.loc[names == name, ["rlnCoordinateX", "rlnCoordinateY"]].to_numpy()
        assert np.allclose(sorted(map(tuple, written)), wanted, atol=0.02)
        taught = labels.particles.particles[ids[i].removesuffix(".mrc")]
        assert np.allclose(sorted(map(tuple, np.asarray(taught)[:, :2])), wanted, atol=0.02)
        assert np.allclose(sorted(zip(*picks_of(look.page, i), strict=True)), wanted, atol=0.02)
    assert (names == ids[out].split("/")[-1]).sum() == 0
    assert labels.excluded == {ids[out].removesuffix(".mrc")}
