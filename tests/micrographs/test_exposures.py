"""What CryoSPARC's exposures say is kept, whichever of its files says it."""

import json

import numpy as np
import pytest
from cs_files import GROUPS, IMAGES, MICROSCOPE, PATHS, UIDS, write_group, write_table

from cryopick_ray.errors import UsageError
from cryopick_ray.micrographs.cs_list import CsExposure, read_cs_list
from cryopick_ray.micrographs.sources import list_sources
from cryopick_ray.units import Optics

WHOLE = IMAGES | MICROSCOPE


def read(path, said=None):
    return read_cs_list(path, path.parent, (said if said is not None else []).append)


def exposures_of(listed):
    return [CsExposure.from_text(one.listed) for one in listed]


EXPECTED = [
    CsExposure(uid, group, path.decode())
    for uid, group, path in zip(UIDS.tolist(), GROUPS.tolist(), PATHS, strict=True)
]


def test_uid_group_and_path_are_kept_exactly(tmp_path):
    path = write_table(tmp_path / "J4/exposures.cs", WHOLE)
    assert exposures_of(read(path)) == EXPECTED
    group = write_group(
        tmp_path / "J4/J4_exposures.csg", dict.fromkeys(("micrograph_blob", "mscope_params"), "exposures.cs")
    )
    for one in (path, group):
        sources = list_with_files(tmp_path, one)
        assert [CsExposure.from_text(source.listed) for source in sources] == EXPECTED


def list_with_files(project, path):
    for name in PATHS:
        (project / name.decode()).parent.mkdir(parents=True, exist_ok=True)
        (project / name.decode()).touch()
    return list_sources([str(path)], relion_project=project)


def test_the_mark_of_a_projects_path_is_kept_and_not_searched_for(tmp_path):
    marked = np.array([b">" + one for one in PATHS])
    path = write_table(tmp_path / "J4/exposures.cs", WHOLE | {"micrograph_blob/path": marked})
    sources = list_with_files(tmp_path, path)
    assert [source.path for source in sources] == [tmp_path / one.decode() for one in PATHS]
    assert CsExposure.from_text(sources[0].listed).path == marked[0].decode()
    assert CsExposure.from_text(sources[0].listed).project_path == PATHS[0].decode()


def test_an_exported_group_far_below_the_project_finds_its_images(tmp_path):
    path = write_table(tmp_path / "exports/groups/J4_exposures/J4_exposures_exported.cs", WHOLE)
    assert [source.path for source in list_with_files(tmp_path, path)] == [
        tmp_path / one.decode() for one in PATHS
    ]


@pytest.mark.parametrize(
    "name",
    ["J4_passthrough_exposures_accepted.cs", "P1_J4_passthrough_exposures.cs", "passthrough_exposures.cs"],
)
def test_the_microscope_is_joined_from_a_passthrough_by_uid(tmp_path, name):
    path = write_table(tmp_path / "J4/exposures_accepted.cs", IMAGES)
    order = [2, 0, 3, 1]
    write_table(tmp_path / "J4" / name, {key: one[order] for key, one in MICROSCOPE.items()})
    write_table(tmp_path / "J4/J4_passthrough_particles.cs", MICROSCOPE | {"uid": UIDS - np.uint64(1)})
    found = read(path)
    assert exposures_of(found) == EXPECTED
    assert {one.optics for one in found} == {Optics(200, 1.4)}


def test_a_passthrough_as_input_is_joined_to_what_its_job_made(tmp_path):
    write_table(tmp_path / "J4/exposures_accepted.cs", IMAGES)
    path = write_table(tmp_path / "J4/J4_passthrough_exposures_accepted.cs", MICROSCOPE)
    assert exposures_of(read(path)) == EXPECTED


def test_rows_that_a_passthrough_lacks_have_no_microscope(tmp_path):
    path = write_table(tmp_path / "J4/exposures.cs", IMAGES)
    write_table(
        tmp_path / "J4/J4_passthrough_exposures.cs", {name: one[1:] for name, one in MICROSCOPE.items()}
    )
    first, *rest = read(path)
    assert (first.optics, CsExposure.from_text(first.listed).exp_group_id) == (None, None)
    assert exposures_of(rest) == EXPECTED[1:]


def test_a_broken_passthrough_is_told(tmp_path):
    path, said = write_table(tmp_path / "J4/exposures.cs", WHOLE), []
    (tmp_path / "J4/J4_passthrough_exposures.cs").write_text("no table")
    assert exposures_of(read(path, said)) == EXPECTED
    assert len(said) == 1
    assert "J4_passthrough_exposures.cs" in said[0]


def test_a_group_takes_each_result_from_the_file_it_names(tmp_path):
    old = {"micrograph_blob/path": np.array([b"J1/old.mrc"] * 4)}
    write_table(tmp_path / "J4/exposures.cs", IMAGES)
    write_table(tmp_path / "J4/through.cs", {name: one[::-1] for name, one in (MICROSCOPE | old).items()})
    files = {"mscope_params": "through.cs", "micrograph_blob": "exposures.cs"}
    found = read(write_group(tmp_path / "J4/J4_exposures.csg", files))
    assert sorted(exposures_of(found), key=lambda one: one.path) == sorted(EXPECTED, key=lambda one: one.path)
    assert {one.optics for one in found} == {Optics(200, 1.4)}


@pytest.mark.parametrize("empty", [b"", b">"])
def test_one_exposure_without_an_image_is_left_out_and_told(tmp_path, empty):
    images = PATHS.copy()
    images[2] = empty
    movies = {"movie_blob/path": np.array([f"J1/imported/mov{i}.mrc".encode() for i in range(4)])}
    said = []
    path = write_table(tmp_path / "J4/exposures.cs", WHOLE | movies | {"micrograph_blob/path": images})
    found = read(path, said)
    assert [(one.name, one.kind) for one in found] == [(PATHS[i].decode(), "micrograph") for i in (0, 1, 3)]
    assert said == [
        "left out: 1 of 4 exposures have no aligned image in exposures.cs: 'J1/imported/mov2.mrc'"
    ]


def test_each_row_has_its_best_image(tmp_path):
    images, others = PATHS.copy(), np.array([f"J2/other{i}.mrc".encode() for i in range(4)])
    images[1] = b""
    columns = WHOLE | {
        "micrograph_blob/path": images,
        "micrograph_blob_non_dw/path": others,
        "micrograph_blob_non_dw/psize_A": np.full(4, 0.65, np.float32),
    }
    found = read(write_table(tmp_path / "J4/exposures.cs", columns))
    assert [one.name for one in found] == [
        PATHS[0].decode(),
        "J2/other1.mrc",
        PATHS[2].decode(),
        PATHS[3].decode(),
    ]
    assert [one.pixel_size_A for one in found] == [1.315, 0.65, 1.315, 1.315]


def test_exposures_without_an_image_are_rows_that_change_no_other_name(tmp_path):
    whole = list_with_files(tmp_path, write_table(tmp_path / "J4/exposures.cs", WHOLE))
    images = PATHS.copy()
    images[[1, 2]] = b""
    movies = {"movie_blob/path": np.array([b"J1/mov0.mrc", b"J1/mov1.mrc", b"", b"J1/mov3.mrc"])}
    path = write_table(tmp_path / "J4/exposures.cs", WHOLE | movies | {"micrograph_blob/path": images})
    out = []
    kept = list_sources([str(path)], relion_project=tmp_path, leave_out=out.extend)
    assert [one.micrograph_id for one in kept] == [whole[i].micrograph_id for i in (0, 3)]
    assert [(one.micrograph_id, reason) for one, reason in out] == [
        (name, "no aligned image in exposures.cs") for name in ("J1/mov1.mrc", "row 3")
    ]
    out.clear()
    list_sources([str(path)], relion_project=tmp_path, exclude=["row*"], leave_out=out.extend)
    assert [one.micrograph_id for one, _ in out] == ["J1/mov1.mrc"]


CTF = {
    "ctf/amp_contrast": np.full(4, 0.07, np.float32),
    "ctf/df1_A": np.float32([15000, 21000.5, 0, np.nan]),
    "ctf/df2_A": np.float32([14000, 20000, 0, 9000]),
    "ctf/df_angle_rad": np.float32([np.pi / 6, -np.pi / 4, 0, 1]),
    "ctf/phase_shift_rad": np.float32([0, np.pi / 2, 0, 0]),
    "ctf/tilt_A": np.float32([[0, 0], [0, 0], [1.4e4, -2.8e3], [1.4e4, -2.8e3]]),
    "ctf_stats/ctf_fit_to_A": np.float32([3.25, 4, 0, 5]),
    "movie_blob/psize_A": np.full(4, 0.6575, np.float32),
}


def test_exposure_groups_are_optics_groups(tmp_path):
    found = read(write_table(tmp_path / "J4/exposures.cs", WHOLE | CTF))
    groups = [json.loads(one.optics_group) for one in found]
    assert groups[0] == groups[1]
    assert groups[2] == groups[3]
    assert groups[0] == {
        "rlnOpticsGroupName": "opticsGroup5",
        "rlnOpticsGroup": "5",
        "rlnMicrographOriginalPixelSize": "0.657500",
        "rlnVoltage": "200.000000",
        "rlnSphericalAberration": "1.400000",
        "rlnAmplitudeContrast": "0.070000",
    }
    # Cs of 1.4 mm is 1.4e7 A: a displacement of 1.4e4 A is a tilt of 1 mrad.
    tilt = [float(groups[2][f"rlnBeamTilt{axis}"]) for axis in "XY"]
    np.testing.assert_allclose(tilt, [1, -0.2], atol=1e-5)
    assert exposures_of(found) == EXPECTED


def test_a_ctf_is_in_relions_units_where_there_is_one(tmp_path):
    found = read(write_table(tmp_path / "J4/exposures.cs", WHOLE | CTF))
    first, second, *none = (
        {name: float(one) for name, one in json.loads(each.listed).items() if name[:3] == "rln"}
        for each in found
    )
    assert first == {
        "rlnDefocusU": 15000,
        "rlnDefocusV": 14000,
        "rlnDefocusAngle": pytest.approx(30, abs=1e-4),
        "rlnCtfMaxResolution": 3.25,
    }
    assert second["rlnPhaseShift"] == pytest.approx(90, abs=1e-4)
    assert second["rlnDefocusAngle"] == pytest.approx(-45, abs=1e-4)
    assert none == [{}, {}]


def test_group_0_is_numbered_by_relion(tmp_path):
    groups = {"mscope_params/exp_group_id": np.zeros(4, np.uint32)}
    found = read(write_table(tmp_path / "J4/exposures.cs", WHOLE | groups))
    assert "rlnOpticsGroup" not in json.loads(found[0].optics_group)
    assert json.loads(found[0].optics_group)["rlnOpticsGroupName"] == "opticsGroup0"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "results: {}",
        "results: [1, 2]",
        "results: {micrograph_blob: {num_items: 4}}",
        "results: {micrograph_blob: {metafile: '>'}}",
        "results: {micrograph_blob: {metafile: '>nowhere.cs'}}",
        "results: {micrograph_blob: {metafile: '>.'}}",
        "results: {micrograph_blob: {metafile: '>g.csg'}}",
        "results: {a: [",
        "results: {1: {metafile: '>x.cs'}}",
        f"results: {{{', '.join(f'r{i}: {{metafile: f{i}.cs}}' for i in range(999))}}}",
    ],
)
def test_a_group_of_nothing_that_can_be_read_is_told(tmp_path, text):
    path = tmp_path / "g.csg"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"g\.csg"):
        read(path)


def test_files_of_a_group_without_uids_are_not_joined(tmp_path):
    for name in ("a.cs", "b.cs"):
        write_table(tmp_path / name, {"micrograph_blob/path": PATHS})
    path = write_group(tmp_path / "g.csg", {"micrograph_blob": "a.cs", "mscope_params": "b.cs"})
    with pytest.raises(UsageError, match="no uid"):
        read(path)
