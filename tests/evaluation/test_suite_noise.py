from pathlib import Path

import mrcfile
import numpy as np
import pytest
from PIL import Image

from cryopick_ray.micrographs.sources import list_sources
from cryopick_ray.suite.added_noise import noisy_copies


@pytest.fixture
def sources(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "in" / "square").mkdir(parents=True)
    for name in "ab":
        grey = np.clip(100 + 10 * rng.normal(size=(200, 240)), 0, 255).astype(np.uint8)
        Image.fromarray(grey).save(tmp_path / "in" / "square" / f"{name}.png")
    return list(list_sources((str(tmp_path / "in"),), relion_project=tmp_path))


def pixels(folder):
    return [mrcfile.read(path) for path in sorted(folder.rglob("*.mrc"))]


def test_copies_have_so_much_noise_and_are_the_same_again(sources, tmp_path):
    originals = [np.asarray(Image.open(source.path), np.float32) for source in sources]
    for factor in (1, 1.41):
        noisy_copies(sources, tmp_path / f"{factor}", factor)
        for copy, image in zip(pixels(tmp_path / f"{factor}"), originals, strict=True):
            added = copy - image
            assert added.std() / image.std() == pytest.approx(factor, rel=0.01)
            assert abs(np.corrcoef(added.ravel(), image.ravel())[0, 1]) < 0.02
    noisy_copies(sources, tmp_path / "again", 1)
    first, second = pixels(tmp_path / "1")
    assert all(
        np.array_equal(*pair) for pair in zip(pixels(tmp_path / "again"), [first, second], strict=True)
    )
    assert abs(np.corrcoef((first - originals[0]).ravel(), (second - originals[1]).ravel())[0, 1]) < 0.02


def test_copies_keep_folders_and_are_not_made_twice(sources, tmp_path):
    out = tmp_path / "out"
    noisy_copies(sources, out, 2)
    made = {path: path.stat().st_mtime_ns for path in out.rglob("*.mrc")}
    assert {path.relative_to(out) for path in made} == {Path("square/a.mrc"), Path("square/b.mrc")}
    noisy_copies(sources, out, 2)
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.mrc")} == made
