"""CryoSPARC's own library reads what we write, and joins it to the exposures of its project."""

import mrcfile
import numpy as np
import pytest

from cryopick_ray import EngineSettings, Settings, export, run
from tests.micrographs.cs_files import GROUPS, IMAGES, MICROSCOPE, PATHS, UIDS, write_table

Dataset = pytest.importorskip("cryosparc.dataset", reason="pip install --no-deps cryosparc-tools").Dataset


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project of four exposures in two groups, and the run that picked them."""
    folder = tmp_path_factory.mktemp("P1")
    rng, (y, x) = np.random.default_rng(3), np.mgrid[:300, :400]
    for path in PATHS:
        image = rng.normal(0, 1, (300, 400)).astype(np.float32)
        for row, column in [(80, 90), (200, 120), (150, 300)]:
            image -= 4 * np.exp(-((x - column) ** 2 + (y - row) ** 2) / 2 / 12**2).astype(np.float32)
        file = folder / path.decode()
        file.parent.mkdir(parents=True, exist_ok=True)
        with mrcfile.new(file) as mrc:
            mrc.set_data(image)
            mrc.voxel_size = 1.315
    write_table(folder / "J4/exposures_accepted.cs", IMAGES)
    write_table(folder / "J4/J4_passthrough_exposures_accepted.cs", MICROSCOPE)
    settings = Settings(
        inputs=[str(folder / "J4/exposures_accepted.cs")], diameter_A=50, model="log", threshold=0
    )
    run(settings, out=folder / "run", engine=EngineSettings(engine="serial"))
    return folder


def test_every_pick_finds_its_exposure_group_and_path(project):
    done = export(project / "run", "cs", project / "out")
    picks = Dataset.load(project / "out/particles.cs")
    exposures = Dataset.innerjoin_many(
        Dataset.load(project / "J4/exposures_accepted.cs"),
        Dataset.load(project / "J4/J4_passthrough_exposures_accepted.cs"),
    )
    assert len(picks) == done.picks >= 12
    assert not done.notes
    assert len(set(picks["uid"])) == len(picks)
    found = 0
    for exposure in exposures.rows():
        own = picks.query({"location/micrograph_uid": exposure["uid"]})
        assert len(own) >= 3
        assert set(own["location/exp_group_id"]) == {exposure["mscope_params/exp_group_id"]}
        assert set(own["location/micrograph_path"]) == {exposure["micrograph_blob/path"]}
        assert (own["location/micrograph_shape"] == exposure["micrograph_blob/shape"]).all()
        np.testing.assert_allclose(own["location/micrograph_psize_A"], exposure["micrograph_blob/psize_A"])
        found += len(own)
    assert found == len(picks)
    assert set(exposures["uid"].tolist()) == set(UIDS.tolist())
    assert sorted(set(picks["location/exp_group_id"].tolist())) == sorted(set(GROUPS.tolist()))


def test_picks_are_joined_by_uid_as_extracted_particles_are(project):
    """Renamed, the exposure's uid is the key by which its own library joins."""
    export(project / "run", "cs", project / "out")
    picks = Dataset.load(project / "out/particles.cs")
    blobs = Dataset({"uid": picks["uid"][::-1].copy(), "blob/idx": np.arange(len(picks), dtype=np.uint32)})
    joined = picks.innerjoin(blobs, assert_no_drop=True)
    assert len(joined) == len(picks)
    assert {"blob/idx", "location/micrograph_uid", "pick_stats/ncc_score"} < set(joined.fields())
