"""CryoSPARC's picks as they are read: what we write comes back, what others write is read or named."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryopick_ray.errors import PicksError, UsageError
from cryopick_ray.formats.coordinates import Coordinates
from cryopick_ray.formats.cs import write_cs
from cryopick_ray.formats.cs_picks import looks_like, read_cs, strip_uid
from cryopick_ray.micrographs.cs_list import CsExposure
from cryopick_ray.picks.schema import PickedMicrograph
from tests.micrographs.cs_files import GROUPS, PATHS, UIDS, write_group, write_table

LOCATIONS = {
    "uid": np.arange(1, 5, dtype=np.uint64),
    "location/micrograph_uid": UIDS[[1, 0, 1, 3]],
    "location/exp_group_id": GROUPS[[1, 0, 1, 3]],
    "location/micrograph_path": PATHS[[1, 0, 1, 3]],
    "location/micrograph_shape": np.tile(np.uint32([300, 400]), (4, 1)),
    "location/center_x_frac": np.float32([0.25, 0.5, 0, 0.75]),
    "location/center_y_frac": np.float32([0.5, 0.1, 0, 0.25]),
    "location/micrograph_psize_A": np.full(4, 1.315, np.float32),
}


def test_particles_are_those_of_each_micrograph_in_the_order_of_the_file(tmp_path):
    first, second, third = read_cs(write_table(tmp_path / "picks.cs", LOCATIONS))
    assert (first.x_px.tolist(), first.y_px.tolist()) == ([100, 0], [150, 0])
    assert first.micrograph.shape == (300, 400)
    assert first.micrograph.pixel_size_A == 1.315
    assert CsExposure.from_text(first.micrograph.listed) == CsExposure(2**63 + 5, 5, PATHS[1].decode())
    assert [one.micrograph.relion_name for one in (second, third)] == [PATHS[0].decode(), PATHS[3].decode()]
    assert np.isnan(first.score).all()


def test_locations_may_be_in_the_passthrough_of_extracted_particles(tmp_path):
    shifted = {"uid": LOCATIONS["uid"][::-1].copy(), "alignments2D/shift": np.ones((4, 2), np.float32)}
    main, said = write_table(tmp_path / "J5/particles.cs", shifted), []
    write_table(tmp_path / "J5/J5_passthrough_particles.cs", LOCATIONS)
    group = write_group(
        tmp_path / "J5/J5_particles.csg",
        {"alignments2D": "particles.cs", "location": "J5_passthrough_particles.cs"},
        "particle",
    )
    for path in (main, group):
        places = sorted(x for one in read_cs(path, said.append) for x in one.x_px.tolist())
        assert places == [0, 100, 200, 300]
    assert ["not applied" in text for text in said] == [True, True]


PLACE = st.floats(0, 4095, width=32)
coordinates = st.lists(st.tuples(PLACE, PLACE, st.floats(-99, 99, width=32)), max_size=9)


@given(st.lists(coordinates, min_size=1, max_size=4))
def test_what_is_written_is_read_again(micrographs):
    given_ = []
    for index, particles in enumerate(micrographs):
        x, y, score = np.array(particles, np.float32).reshape(-1, 3).T
        exposure = CsExposure(2**64 - 1 - index, index, f">J2/{index}.mrc")
        micrograph = PickedMicrograph(
            f"{index}.mrc", "d", "", (4096, 4096), 0.83, None, "complete", "", listed=exposure.to_text()
        )
        given_.append(Coordinates(micrograph, x, y, score, 100.0))
    with TemporaryDirectory() as folder:
        write_cs(given_, Path(folder))
        for name in ("particles.cs", "particles.csg"):
            found = list(read_cs(Path(folder) / name))
            filled = [one for one in given_ if len(one.x_px)]
            assert len(found) == len(filled)
            for one, other in zip(filled, found, strict=True):
                eps = 4096 * np.finfo(np.float32).eps
                np.testing.assert_allclose(other.x_px, one.x_px, atol=eps)
                np.testing.assert_allclose(other.y_px, one.y_px, atol=eps)
                np.testing.assert_array_equal(other.score, one.score)
                assert other.micrograph.pixel_size_A == 0.83
                known = CsExposure.from_text(one.micrograph.listed)
                expected = replace(known, path=known.project_path)
                assert CsExposure.from_text(other.micrograph.listed) == expected


@pytest.mark.parametrize("name", ["cryosparc_J2_particles_exported.cs", "cryosparc_P12_J24_001_particles.cs"])
def test_real_particles_without_locations_are_named(real_data, name):
    path = real_data / "formats/cs" / name
    assert looks_like(path)
    with pytest.raises(PicksError, match=rf"{name}.*passthrough"):
        list(read_cs(path))


def test_a_real_set_of_no_particles_is_empty(real_data):
    assert list(read_cs(real_data / "formats/cs/4k_dataset.cs")) == []


@pytest.mark.parametrize("frac", [np.nan, np.inf])
def test_a_particle_without_a_place_is_named(tmp_path, frac):
    broken = LOCATIONS | {"location/center_y_frac": np.float32([frac] * 4)}
    with pytest.raises(PicksError, match=r"picks\.cs"):
        list(read_cs(write_table(tmp_path / "picks.cs", broken)))
    none = LOCATIONS | {"location/micrograph_shape": np.zeros((4, 2), np.uint32)}
    with pytest.raises(PicksError, match="no shape"):
        list(read_cs(write_table(tmp_path / "picks.cs", none)))


def test_other_files_do_not_look_like_it(tmp_path):
    path = tmp_path / "program.cs"  # C sharp
    path.write_text("using System;")
    assert not looks_like(path)
    with pytest.raises(UsageError, match=r"program\.cs"):
        list(read_cs(path))


@pytest.mark.parametrize(
    ("name", "bare"),
    [
        ("J2/motioncorrected/010952247516538852012_14sep05c_x.mrc", "J2/motioncorrected/14sep05c_x.mrc"),
        ("000090334788266266069_18jam15b.mrcs", "18jam15b.mrcs"),
        ("20150917_05196_DNA.mrc", "20150917_05196_DNA.mrc"),
        ("010952247516538852012_/x.mrc", "010952247516538852012_/x.mrc"),
        ("010952247516538852012_", "010952247516538852012_"),
    ],
)
def test_the_number_before_a_name_is_cut_off(name, bare):
    assert strip_uid(name) == bare
