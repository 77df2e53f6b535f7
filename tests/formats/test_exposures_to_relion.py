"""CryoSPARC's exposures, picked: RELION's particles have their groups and CTF."""

import mrcfile
import numpy as np
import starfile

from cryopick_ray import EngineSettings, Settings, export, run
from cryopick_ray.store.manifest import read_manifest
from cryopick_ray.store.store import MicrographStore
from tests.micrographs.cs_files import IMAGES, MICROSCOPE, PATHS, write_table


def test_groups_and_ctf_of_exposures_reach_particles_star(tmp_path):
    for path in PATHS:
        file = tmp_path / path.decode()
        file.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(1).normal(size=(300, 400)).astype(np.float32)
        mrcfile.write(file, pixels, voxel_size=1.315)
    images = IMAGES["micrograph_blob/path"].copy()
    images[3] = b""
    columns = {
        "micrograph_blob/path": images,
        "movie_blob/path": np.array([f"J1/mov{i}.mrc".encode() for i in range(4)]),
        "ctf/amp_contrast": np.full(4, 0.07, np.float32),
        "ctf/df1_A": np.float32([15000, 16000, 17000, 18000]),
        "ctf/df2_A": np.float32([14000, 15000, 16000, 17000]),
        "ctf/df_angle_rad": np.full(4, np.pi / 6, np.float32),
    }
    write_table(tmp_path / "J4/exposures.cs", IMAGES | MICROSCOPE | columns)
    settings = Settings(inputs=[str(tmp_path / "J4/exposures.cs")], diameter_A=50, model="log", threshold=0)
    run(settings, out=tmp_path / "run", engine=EngineSettings(engine="serial"))
    export(tmp_path / "run", "star", tmp_path / "out")
    found = starfile.read(tmp_path / "out/particles.star")
    optics = found["optics"].set_index("rlnOpticsGroup")
    assert list(optics.index) == [5, 9]
    assert list(optics["rlnOpticsGroupName"]) == ["opticsGroup5", "opticsGroup9"]
    assert (optics["rlnVoltage"] == 200).all()
    assert (optics["rlnSphericalAberration"] == 1.4).all()
    assert (optics["rlnAmplitudeContrast"] == 0.07).all()
    assert (optics["rlnMicrographPixelSize"] == 1.315).all()
    particles = found["particles"]
    number = particles["rlnMicrographName"].str.extract(r"_m(\d)_")[0].astype(int)
    assert set(number) == {0, 1, 2}
    np.testing.assert_array_equal(particles["rlnDefocusU"], 15000 + 1000 * number)
    np.testing.assert_array_equal(particles["rlnDefocusV"], 14000 + 1000 * number)
    np.testing.assert_allclose(particles["rlnDefocusAngle"], 30, atol=1e-4)
    np.testing.assert_array_equal(particles["rlnOpticsGroup"], np.where(number < 2, 5, 9))
    [store] = (tmp_path / "run").glob("*.zarr")
    row = read_manifest(MicrographStore(str(store)).place)["J1/mov3.mrc"]
    assert (row.status, row.reason) == ("left out", "no aligned image in exposures.cs")
