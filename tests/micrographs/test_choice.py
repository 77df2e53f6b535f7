"""Every exposure once, as its best image, out of folders as programs leave them."""

import pytest

from cryopick_ray.errors import UsageError
from cryopick_ray.micrographs.exposure_choice import left_out
from cryopick_ray.micrographs.sources import list_sources

UID = "001234567890123456789"
HOLE = "FoilHole_9_Data_10_11_20230405_101112"
FOLDERS = {
    "relion motioncorr": (
        ["Movies/a.mrc", "Movies/b.mrc"],
        [f"Movies/{name}{mark}.mrc" for name in "ab" for mark in ("_noDW", "_PS", "_EVN", "_ODD")],
    ),
    "relion project": (
        ["MotionCorr/job002/Movies/a.mrc", "MotionCorr/job002/Movies/b.mrc"],
        [
            *("Movies/a.tiff", "Movies/b.tiff", "Movies/gain.mrc", "MotionCorr/job002/Movies/a_PS.mrc"),
            *("Extract/job008/Movies/a.mrcs", "Class2D/job009/run_it025_classes.mrcs"),
            *("MaskCreate/job020/mask.mrc", "Refine3D/job012/run_half1_class001_unfil.mrc"),
        ],
    ),
    "two motion corrections": (
        ["MotionCorr/job010/Movies/a.mrc"],
        ["MotionCorr/job002/Movies/a.mrc", "Movies/a.eer"],
    ),
    "motioncor2": (
        ["a_DW.mrc", "b_DW.mrc"],
        [
            *("a.mrc", "a_DWS.mrc", "b_DWS.mrc", "a_Ctf.mrc", "a_DW_EVN.mrc", "a_DW_ODD.mrc", "Gain_x1.mrc"),
            "a_Stk.mrc",
        ],
    ),
    "beside its movie": (["a.mrc", "b.mrc", "c.mrc"], ["a.tif", "b_fractions.tiff", "c.eer", "c_thumb.png"]),
    "cryosparc": (
        [f"J2/motioncorrected/{UID}_a_patch_aligned_doseweighted.mrc"],
        [
            f"J2/motioncorrected/{UID}_a_patch_aligned.mrc",
            f"J2/motioncorrected/{UID}_a_rigid_aligned.mrc",
            f"J2/motioncorrected/{UID}_a_background.mrc",
            f"J1/imported/{UID}_a.tiff",
            f"J2/thumbnails/{UID}_a_thumb_@1x.png",
            f"J4/ctfestimated/{UID}_a_ctf_diag_2D.mrc",
            f"J5/extract/{UID}_a_patch_aligned_doseweighted_particles.mrc",
        ],
    ),
    "warp": (
        ["average/a.mrc"],
        [
            *("average/even/a.mrc", "average/odd/a.mrc", "powerspectrum/a.mrc", "thumbnails/a.png"),
            *("denoising/a.mrc", "frames/a.tif", "deconv/a.mrc"),
        ],
    ),
    "warp 2": (
        ["warp_frameseries/average/a.mrc"],
        [*("frames/a.eer", "warp_frameseries/powerspectrum/a.mrc", "warp_frameseries/thumbnails/a.png")],
    ),
    "leginon": (
        ["24dec_00012gr_00003sq_v01_00002hl_00003ex-a-DW.mrc"],
        [
            *("24dec_00012gr.mrc", "24dec_00012gr_00003sq.mrc", "24dec_00012gr_00003sq_v01_00002hl.mrc"),
            "24dec_00012gr_00003sq_v01_00002hl_00003ex-a.mrc",
            "24dec_00012gr_00003sq_v01_00002hl_00003ex.mrc",
            "24dec_00012gr_00003sq_v01_00002hl_00003ex.frames.mrc",
        ],
    ),
    "simple": (["a_intg.mrc"], ["a_pspec.mrc", "a_thumb.jpg", "a_movie.mrc"]),
    "epu": (
        [f"GridSquare_1/Data/{HOLE}.mrc", f"GridSquare_2/Data/{HOLE}3_Fractions.mrc"],
        [
            f"GridSquare_1/Data/{HOLE}_Fractions.mrc",
            f"GridSquare_1/Data/{HOLE}_EER.eer",
            f"GridSquare_1/Data/{HOLE}.jpg",
            "GridSquare_1/GridSquare_20230405_101011.mrc",
            "GridSquare_1/GridSquare_20230405_101011.jpg",
            "GridSquare_1/FoilHoles/FoilHole_9_20230405_101011.mrc",
            "Atlas/Atlas_1.mrc",
            "Atlas/Tile_1_2_3.mrc",
        ],
    ),
    "serialem": (
        ["s_001_Oct08.tif", "s_002_Oct08.tif"],
        ["SuperRef_s_001.mrc", "CountRef_s_001.mrc", "LMM.mrc", "mmm_2.mrc", "g1_atlas.mrc", "defects_s.tif"],
    ),
    "scipion": (
        ["extra/a_aligned_mic_DW.mrc"],
        [f"extra/a_{rest}" for rest in ("aligned_mic.mrc", "psd.mrc", "aligned_movie.mrcs", "thumbnail.png")],
    ),
    "cistem": (
        ["Images/a_3_0.mrc"],
        ["Images/Spectra/a_3_0.mrc", "Images/Scaled/a_3_0.mrc", "CTF/a_CTF_3.mrc"],
    ),
    "frames and averages": (["averages/a.mrc"], ["frames/a.mrc", "mtf_k3_300kV.mrc"]),
}
ALONE = {
    "not weighted": ["a_noDW.mrc", "b_noDW.mrc"],
    "previews": ["a.jpg", "b.jpg"],
    "spectra": ["a_PS.mrc", "b_PS.mrc"],
    "gain in every name": ["apo_gain1_1.mrc", "apo_gain1_2.mrc"],
    "gain in many names": [f"gain_{number}.mrc" for number in range(30)],
    "overviews": ["GridSquare_1.mrc", "GridSquare_2.mrc"],
    "stacks": ["a.mrcs", "b.mrcs"],
    "stacks and eer": ["a.mrcs", "b.eer"],
    "one spectrum": ["a_PS.mrc"],
    "a name that is a word": ["frames.mrc", "sum.mrc", "DW.mrc"],
    "folders of equal names": ["day1/1.mrc", "day2/1.mrc", "day2/x/1.mrc"],
    "averages of some": ["a.mrc", "b_fractions.tiff", "c.eer"],
    "words inside names": [
        "bargain_1.mrc",
        "gps_1.mrc",
        "todd.mrc",
        "haystack.mrc",
        "adw.mrc",
        "atlases_1.mrc",
    ],
    "several kinds of file": ["a.mrc", "b.tif", "c.png", "d.mrc.bz2"],
}


@pytest.mark.parametrize(("kept", "out"), FOLDERS.values(), ids=FOLDERS)
def test_a_folder_as_a_program_leaves_it(kept, out):
    found = left_out(sorted([*kept, *out]))
    assert sorted(found) == sorted(out)
    assert all(one.reason for one in found.values())


@pytest.mark.parametrize("names", ALONE.values(), ids=ALONE)
def test_what_is_all_there_is_is_meant(names):
    assert left_out(names) == {}


def test_halves_of_one_exposure_are_one_exposure():
    assert list(left_out(["a_EVN.mrc", "a_ODD.mrc", "b_EVN.mrc"])) == ["a_ODD.mrc"]


def test_words_that_are_in_every_name_tell_nothing_but_others_do():
    names = [f"apo_gain2_{number}.mrc" for number in range(3)]
    spectra = [name.replace(".mrc", "_PS.mrc") for name in names]
    assert sorted(left_out([*names, *spectra])) == spectra
    assert list(left_out(["x_PS.mrc", "x_PS_PS.mrc"])) == ["x_PS_PS.mrc"]


def test_what_was_taken_stays_taken():
    assert list(left_out(["a.mrc", "a_noDW.mrc"], ["a_noDW.mrc"])) == ["a.mrc"]
    assert list(left_out(["a_noDW.mrc"], ["a.mrc"])) == ["a_noDW.mrc"]  # its file is gone, its picks are not
    assert left_out(["a.mrc", "a_noDW.mrc"], ["a.mrc", "a_noDW.mrc"]) == {}
    assert list(left_out(["a.mrc", "b_PS.mrc"], ["a.mrc"])) == ["b_PS.mrc"]
    assert left_out(["a_PS.mrc", "b_PS.mrc"], ["a_PS.mrc"]) == {}


def test_what_accompanies_images_waits_for_them_while_more_may_come():
    assert list(left_out(["a_PS.mrc"], is_whole=False)) == ["a_PS.mrc"]
    assert left_out(["a.mrcs"], is_whole=False) == {}
    assert left_out([f"gain_{number}.mrc" for number in range(30)], is_whole=False) == {}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.mrc", "a_noDW.mrc", "a_PS.mrc", "b.mrc", "b_noDW.mrc", "b_PS.mrc"):
        (tmp_path / "m").mkdir(exist_ok=True)
        (tmp_path / "m" / name).touch()
    names = sorted(f"m/{path.name}" for path in (tmp_path / "m").iterdir())
    (tmp_path / "l.txt").write_text("\n".join(names))
    (tmp_path / "l.star").write_text("data_\n\nloop_\n_rlnMicrographName #1\n" + "\n".join(names) + "\n")
    return names


def ids(*inputs, **options):
    out, said = [], []
    found = list_sources(inputs, relion_project=".", say=said.append, leave_out=out.extend, **options)
    return [one.micrograph_id for one in found], sorted(one.micrograph_id for one, _ in out), said


@pytest.mark.parametrize("given", ["m", "m/*", "l.txt", "shell"])
def test_every_input_that_is_no_selection_is_looked_at(folder, given):
    kept, out, [line] = ids(*(folder if given == "shell" else [given]))
    assert kept == ["a.mrc", "b.mrc"]
    assert out == ["a_PS.mrc", "a_noDW.mrc", "b_PS.mrc", "b_noDW.mrc"]
    assert "2 power spectra ('a_PS.mrc', ...)" in line
    assert "2 not dose-weighted images of exposures taken already ('a_noDW.mrc', ...)" in line
    assert "`pattern`" in line


def test_a_star_list_is_a_selection(folder):
    kept, out, [line] = ids("l.star")
    assert (len(kept), out) == (6, [])
    assert "several images of 4 exposures" in line


@pytest.mark.parametrize("given", ["m", "m/*", "l.txt", "l.star"])
def test_who_asks_for_a_role_by_name_gets_it(folder, given):
    for pattern in ("*_noDW.mrc", "*_PS.mrc"):
        kept, out, _ = ids(given, pattern=pattern)
        assert (kept, out) == ([pattern.replace("*", name) for name in "ab"], [])
    kept, _, _ = ids(given, pattern="*_PS.mrc", is_whole=False)
    assert kept == ["a_PS.mrc", "b_PS.mrc"]


def test_a_glob_or_file_that_names_a_role_gets_it(folder):
    assert ids("m/*_noDW.mrc")[0] == ["a_noDW.mrc", "b_noDW.mrc"]
    assert ids("m/a_PS.mrc")[0] == ["a_PS.mrc"]


def test_a_limit_counts_exposures(folder):
    kept, out, _ = ids("m", limit=1)
    assert (kept, out) == (["a.mrc"], [])


def test_nothing_but_what_accompanies_images_is_no_input_while_more_may_come(folder):
    with pytest.raises(UsageError, match=r"a_PS\.mrc.*power spectrum.*`pattern`"):
        ids("m/a_PS.mrc", is_whole=False)
