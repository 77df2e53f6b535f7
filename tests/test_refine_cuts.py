import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryopick_ray.config import load_settings
from cryopick_ray.errors import ModelError, UsageError
from cryopick_ray.picks.schema import MicrographPicks, PickedMicrograph
from cryopick_ray.refine import cuts, network_of, own_labels, share_store
from cryopick_ray.run_folder import RunFolder
from cryopick_ray.store.manifest import ManifestRow, publish_part, read_manifest
from cryopick_ray.store.store import MicrographStore


@given(
    n=st.integers(1, 300),
    picked_share=st.floats(0, 1),
    share=st.floats(0.05, 1),
    top=st.integers(1, 400),
    seed=st.integers(0, 99),
)
def test_cuts_respect_share_and_top(n, picked_share, share, top, seed):
    scores = np.random.default_rng(seed).permutation(n).astype(np.float32)  # no ties
    n_picked = max(1, round(picked_share * n))
    wanted = min(int(share * n_picked), top)
    if not wanted:
        with pytest.raises(UsageError, match=f"picked {n_picked} particles, too few"):
            cuts(scores, n_picked, share=share, top=top)
        return
    found = cuts(scores, n_picked, share=share, top=top)
    assert (scores >= found.sure).sum() == wanted
    assert (scores >= found.picked).sum() == n_picked
    assert (scores >= found.unsure).sum() == min(n_picked + wanted // 2, n)
    assert found.sure >= found.picked >= found.unsure
    assert cuts(scores[::-1], n_picked, share=share, top=top) == found


def test_float32_scores_are_cut_where_they_are():
    scores = np.float32([0.1, 0.3, 0.7, 0.9])
    found = cuts(scores, 3, share=1.0, top=10)
    assert [(scores >= cut).sum() for cut in (found.sure, found.picked, found.unsure)] == [3, 3, 4]


@pytest.mark.parametrize("n_picked", [0, 1])
def test_too_few_picks_teach_nothing(n_picked):
    with pytest.raises(UsageError, match=f"picked {n_picked} particles, too few to learn from"):
        cuts(np.linspace(0, 1, 9, dtype=np.float32)[:n_picked], n_picked, share=0.85, top=10_000)


def manifest_row(name, status):
    return ManifestRow(
        micrograph_id=name,
        dataset="d",
        relion_name=name,
        source=name,
        checksum="crc32c:00000000",
        source_height_px=90,
        source_width_px=110,
        pixel_size_A=2.0,
        height_px=90,
        width_px=110,
        shard_bytes=1,
        voltage_kV=None,
        spherical_aberration_mm=None,
        amplitude_contrast=None,
        status=status,
        reason="",
    )


def picks(name, score, status="complete"):
    score = np.float32(score)
    places = np.arange(len(score), dtype=np.float32)
    micrograph = PickedMicrograph(name, "d", name, (90, 110), 2.0, None, status, "")
    return MicrographPicks(micrograph, 10 + places, 50 - places, score, score > 0.4, 60.0)


@pytest.mark.parametrize("invert", [False, True])
def test_a_run_labels_its_own_micrographs(tmp_path, invert):
    run = RunFolder(tmp_path / "run")
    store = MicrographStore(run.store, create=True)
    publish_part(
        store.place, [manifest_row(*one) for one in (("a", "complete"), ("b", "complete"), ("c", "failed"))]
    )
    settings = load_settings({"inputs": ["x"], "diameter_A": 60, "invert": invert})
    table = [picks("a", [0.9, 0.8, 0.5, 0.1]), picks("b", []), picks("c", [], "failed")]
    a, b = own_labels(table, run, settings, 0.8, 0.5)
    np.testing.assert_array_equal(a.particles, [[10, 50], [11, 49]])
    np.testing.assert_array_equal(a.unsure, [[12, 48]])
    assert len(a.false) == 0
    assert (a.row.micrograph_id, a.dataset, a.diameter_A, a.radius_A) == ("a", "d", 60, 30)
    assert a.sign == (-1 if invert else 1)
    assert a.store_url == run.store
    assert (b.row.micrograph_id, b.particles.shape, b.unsure.shape) == ("b", (0, 2), (0, 2))


def test_a_second_run_sees_the_store_of_the_first(tmp_path):
    first, second = RunFolder(tmp_path / "all" / "one"), RunFolder(tmp_path / "all" / "deep" / "two")
    publish_part(MicrographStore(first.store, create=True).place, [manifest_row("a", "failed")])
    second.path.mkdir(parents=True)
    for _ in range(2):
        share_store(first, second)
        assert [path.name for path in (second.path / "store.zarr").iterdir()] == [
            path.name for path in (first.path / "store.zarr").iterdir()
        ]
    (tmp_path / "all").rename(tmp_path / "moved")  # both runs together
    moved = RunFolder(tmp_path / "moved" / "deep" / "two")
    assert list(read_manifest(MicrographStore(moved.store).place)) == ["a"]


@pytest.mark.parametrize("model", ["log", "nowhere.safetensors"])
def test_a_picker_without_a_network_cannot_learn(model):
    with pytest.raises(ModelError, match=f"{model} has no network that can learn; .*heatmap"):
        network_of(model)
