"""What SerialEM and EPU write beside a file is used where nobody knows better, and never breaks it."""

import os
from dataclasses import replace
from pathlib import Path

import mrcfile
import numpy as np
import pytest

from cryopick_ray.micrographs.exposure import read_exposure
from cryopick_ray.micrographs.movies.average import average_movie
from cryopick_ray.micrographs.pixel_size import decide_pixel_size
from cryopick_ray.micrographs.sidecars.beside import sidecar_of
from cryopick_ray.micrographs.sidecars.mdoc import read_mdoc
from cryopick_ray.micrographs.sidecars.sidecar import Sidecar
from cryopick_ray.micrographs.sources import MicrographSource
from cryopick_ray.settings.run_settings import FrameSettings, IngestSettings, MovieSettings
from cryopick_ray.stages.ingest_worker import pixel_size_of, stated
from cryopick_ray.units import Optics
from tests.micrographs.epu_files import epu_xml
from tests.micrographs.movies.eer_files import random_events, write_eer

K3, K3_SUPER, K2 = (4092, 5760), (8184, 11520), (3710, 3838)
COUNTS = np.random.default_rng(0).poisson(9, (6, 96, 128)).astype(np.int16)
FRAME_SET = """Voltage = {voltage}

[FrameSet = 0]
GainReference = {gain}
PixelSpacing = {size}
Binning = 1
ExposureDose = {dose}
SubFramePath = X:\\data\\{name}
NumSubFrames = {frames}
FrameDosesAndNumber = {each} {frames}
RotationAndFlip = {turned}
"""


def mdoc(name="m.mrcs", size=0.83, dose=7.2, each=1.2, frames=6, gain="", turned=0, voltage=300):
    return FRAME_SET.format(
        name=name, size=size, dose=dose, each=each, frames=frames, gain=gain, turned=turned, voltage=voltage
    )


def real(name):
    path = Path(os.environ.get("CRYOPICK_DATA", "../shared/data")) / "formats/mdoc" / name
    if not path.is_file():
        pytest.skip(f"{path} is not here")
    return path.read_bytes()


def write(path, pixels, pixel_size_A=None):
    with mrcfile.new(path, overwrite=True) as mrc:
        mrc.set_data(pixels)
        if pixel_size_A:
            mrc.voxel_size = pixel_size_A
    return path


def exposure(path, settings=None, **said):
    kind = "movie" if path.suffix in (".mrcs", ".eer") else "micrograph"
    source = MicrographSource(path.name, "set", path, path.name, kind=kind, **said)
    settings = settings or IngestSettings(movies=MovieSettings(align=False))
    read = read_exposure(source, settings)
    return read, *pixel_size_of(source, read, settings)


def unusual(notes):
    """Return notes without the doubts that so small an image brings."""
    return tuple(note for note in notes if "short side" not in note)


class TestRealFiles:
    def test_the_frame_set_tells_all_of_its_frames(self):
        said = read_mdoc(real("frame_set_single.mdoc"), "s_mmm_00993_33.0_Oct08_07.39.05.tif")
        assert (said.frames, said.dose_per_frame_e_A2, said.dosed_frames) == (12, 0.63824, 12)
        assert (said.gain, said.voltage_kV) == ("SuperRef_s_mmm_00000_-15.0_Oct08_01.59.24.dm4", 300)
        assert (said.turned, said.notes) == (0, ())
        assert said.pixel_size_of(K3_SUPER) == 1.2827
        assert said.pixel_size_of(K3) == said.pixel_size_of(K3[::-1]) == 2 * 1.2827

    def test_a_section_of_a_tilt_series_is_chosen_by_its_frames(self):
        content = real("tilt_series.mdoc")
        said = read_mdoc(content, "TS_01_001_3.0.mrc")
        assert said.frames == 8
        assert said.pixel_size_of(K2) == pytest.approx(1.35)  # 5.4 A at binning 4
        assert said.pixel_size_of((958, 924)) == 5.4
        assert read_mdoc(content, "TS_01.mrc") == Sidecar(".mdoc")

    def test_frames_of_many_tilts_have_no_certain_dose(self):
        said = read_mdoc(real("frame_set_multiple.mdoc"), "s_mmm_01013_33.0_Oct08_07.46.46.tif")
        assert (said.frames, said.dose_e_A2, said.dose_per_frame_e_A2) == (243, 291.302, 0.63882)

    @pytest.mark.parametrize("name", ["montage_section.mdoc", "montage_section_multiple.mdoc"])
    def test_a_montage_says_nothing(self, name):
        assert read_mdoc(real(name), "LMM.mrc") == Sidecar(".mdoc")


class TestPixelSize:
    @pytest.mark.parametrize("beside", ["{name}.mdoc", "{stem}.mdoc"])
    @pytest.mark.parametrize(
        ("name", "pixels"), [("m.mrc", COUNTS[0]), ("m.mrcs", COUNTS), ("s.mrc", COUNTS)]
    )
    @pytest.mark.parametrize("header_A", [None, 1.0])
    def test_it_serves_where_the_header_says_nothing(self, tmp_path, beside, name, pixels, header_A):
        path = write(tmp_path / name, pixels, header_A)
        (tmp_path / beside.format(name=name, stem=path.stem)).write_text(mdoc(name))
        _, size_A, notes = exposure(path)
        assert size_A == pytest.approx(0.83)
        assert unusual(notes) == ("pixel size 0.83 A from its .mdoc",)

    @pytest.mark.parametrize(("name", "pixels"), [("m.mrc", COUNTS[0]), ("m.mrcs", COUNTS)])
    def test_the_header_wins_and_what_contradicts_it_is_told(self, tmp_path, name, pixels):
        path = write(tmp_path / name, pixels, 1.66)
        (tmp_path / f"{name}.mdoc").write_text(mdoc(name))
        _, size_A, notes = exposure(path)
        assert size_A == pytest.approx(1.66)
        assert any("its .mdoc says a pixel size of 0.83 A, the file 1.66 A" in note for note in notes)
        (tmp_path / f"{name}.mdoc").write_text(mdoc(name, size=1.655))
        assert unusual(exposure(path)[2]) == ()

    @pytest.mark.parametrize("header_A", [None, 1.0, 1.66])
    @pytest.mark.parametrize(("name", "pixels"), [("m.mrc", COUNTS[0]), ("m.mrcs", COUNTS)])
    def test_a_person_and_a_list_win(self, tmp_path, name, pixels, header_A):
        path = write(tmp_path / name, pixels, header_A)
        (tmp_path / f"{name}.mdoc").write_text(mdoc(name))
        settings = IngestSettings(pixel_size_A=1.4, movies=MovieSettings(align=False))
        assert exposure(path, settings)[1] == pytest.approx(1.4)
        assert exposure(path, pixel_size_A=1.5)[1] == pytest.approx(1.5)

    def test_binned_averages_have_coarser_pixels(self, tmp_path):
        path = write(tmp_path / "m.mrcs", COUNTS)
        (tmp_path / "m.mdoc").write_text(mdoc())
        settings = IngestSettings(movies=MovieSettings(align=False, binning=2))
        read, size_A, _ = exposure(path, settings)
        assert size_A == read.average.pixel_size_A == pytest.approx(1.66)

    @pytest.mark.parametrize(
        ("said", "shape", "size_A"),
        [
            (Sidecar("x", 0.8, (4092, 5760)), K3_SUPER, 0.4),
            (Sidecar("x", 0.8, (5760, 4092)), K3, 0.8),
            (Sidecar("x", 0.8, (4092, 5760)), (2728, 3840), 1.2),
            (Sidecar("x", 0.8, (4092, 5760)), (4000, 4000), 0.8),  # a cutting
            (Sidecar("x", 0.8, None, 1.0), K3_SUPER, 0.4),
            (Sidecar("x", 0.8, None, 2.0), (4096, 4096), 0.4),
            (Sidecar("x", 0.8, None, 0.5), K3_SUPER, 0.8),
            (Sidecar("x", 0.8, None, 0.5), K3, 1.6),
            (Sidecar("x", 0.8, None, 1.0), (2048, 2048), 0.8),
            (Sidecar("x", 0.8, None, 1.0), (512, 500), 0.8),
            (Sidecar("x", 0.8), K3_SUPER, 0.8),
        ],
    )
    def test_shapes_tell_super_resolution(self, said, shape, size_A):
        assert said.pixel_size_of(shape) == pytest.approx(size_A, rel=1e-3)

    def test_an_overview_is_refused_as_by_its_header(self):
        said = replace(stated_of_none(), sidecar_A=60.0, sidecar=".mdoc")
        with pytest.raises(ValueError, match=r"its \.mdoc says a pixel size of 60 A"):
            decide_pixel_size(said, (4096, 4096), 100)


def stated_of_none():
    return stated(MicrographSource("m", "set", Path("m"), "m"), IngestSettings(), 1.0)


class TestMovies:
    def test_a_certain_dose_weights_frames(self, tmp_path):
        path = write(tmp_path / "m.mrcs", COUNTS, 1.5)
        (tmp_path / "m.mrcs.mdoc").write_text(mdoc(size=1.5))
        read, _, _ = exposure(path)
        told = FrameSettings(align=False, dose_per_frame_e_A2=1.2)
        assert np.array_equal(read.micrograph.pixels, average_movie(path, told).image)
        assert read.notes == ("dose of 1.2 e/A2 a frame from its .mdoc",)
        own = IngestSettings(movies=MovieSettings(align=False, dose_per_frame_e_A2=3.0))
        assert exposure(path, own)[0].notes == ()

    @pytest.mark.parametrize("changes", [{"frames": 5}, {"dose": 20}, {"each": 0.0005, "dose": 0.003}])
    def test_a_doubtful_one_does_not(self, tmp_path, changes):
        path = write(tmp_path / "m.mrcs", COUNTS, 1.5)
        (tmp_path / "m.mrcs.mdoc").write_text(mdoc(size=1.5, **changes))
        read, _, _ = exposure(path)
        assert not read.average.dose_weighted
        assert "do not fit" in read.notes[0]

    def test_electrons_of_a_whole_eer_make_its_dose(self, tmp_path):
        shape = (64, 64)
        events = [random_events(np.random.default_rng(seed), shape, 0.1) for seed in range(8)]
        path = write_eer(tmp_path / "FoilHole_1_Data_2_EER.eer", events, shape, metadata=b"")
        (tmp_path / "FoilHole_1_Data_2.xml").write_text(epu_xml(fractions=None, area=shape))
        settings = IngestSettings(movies=MovieSettings(align=False, eer_grouping=2))
        read, size_A, _ = exposure(path, settings)
        assert read.notes == ("dose of 10 e/A2 a frame from its EPU xml",)
        assert size_A == pytest.approx(0.83)

    def test_the_gain_reference_is_found_by_its_name(self, tmp_path):
        path = write(tmp_path / "m.mrcs", COUNTS, 1.5)
        (tmp_path / "m.mdoc").write_text(mdoc(size=1.5, gain="Ref_1.dm4", turned=4))
        first, turn = exposure(path)[0].notes[1:]
        assert "'Ref_1.dm4', which its .mdoc names, is not beside it" in first
        assert "RotationAndFlip 4" in turn
        gain = write(tmp_path / "Ref_1.mrc", np.linspace(0.5, 2, 96 * 128, dtype=np.float32).reshape(96, 128))
        read, _, _ = exposure(path)
        assert read.notes[1] == "gain reference 'Ref_1.mrc' from its .mdoc"
        told = FrameSettings(align=False, dose_per_frame_e_A2=1.2, gain=gain)
        assert np.array_equal(read.micrograph.pixels, average_movie(path, told).image)
        write(gain, np.ones((50, 70), np.float32))
        assert "cannot be used and is not applied" in exposure(path)[0].notes[1]

    def test_the_voltage_serves_where_nobody_says_another(self, tmp_path):
        path = write(tmp_path / "m.mrcs", COUNTS, 1.5)
        (tmp_path / "m.mdoc").write_text(mdoc(size=1.5, voltage=200))
        read, _, _ = exposure(path)
        told = FrameSettings(align=False, dose_per_frame_e_A2=1.2, voltage_kV=200)
        assert np.array_equal(read.micrograph.pixels, average_movie(path, told).image)
        assert read.sidecar.voltage_kV == 200
        own = IngestSettings(voltage_kV=120, movies=MovieSettings(align=False))
        assert exposure(path, own)[0].sidecar.voltage_kV is None
        assert exposure(path, optics=Optics())[0].sidecar.voltage_kV is None


class TestEpu:
    @pytest.mark.parametrize("name", ["m_Fractions.tiff", "m_fractions.mrc", "m.mrc", "m_EER.eer"])
    def test_it_is_found_beside_what_epu_writes(self, tmp_path, name):
        (tmp_path / "m.xml").write_text(epu_xml())
        said = sidecar_of(tmp_path / name)
        assert (said.pixel_size_A, said.voltage_kV) == (pytest.approx(0.83), 300)
        assert (said.dose_e_A2, said.frames, said.notes) == (pytest.approx(40), 40, ())

    def test_super_resolution_frames_are_finer_than_the_area_read_out(self, tmp_path):
        (tmp_path / "m.xml").write_text(epu_xml(area=K3))
        said = sidecar_of(tmp_path / "m_Fractions.tiff")
        assert said.pixel_size_of(K3_SUPER) == pytest.approx(0.415)
        (tmp_path / "m.xml").write_text(epu_xml(area=K3, binning=2))
        assert sidecar_of(tmp_path / "m.mrc").pixel_size_of(K3) == pytest.approx(0.415)

    def test_another_program_s_xml_is_none(self, tmp_path):
        (tmp_path / "m.xml").write_text("<a:Movie xmlns:a='urn:a'><pixelSize/></a:Movie>")
        assert sidecar_of(tmp_path / "m.mrc") == Sidecar()


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + "".join(
    f'<!ENTITY {name} "{10 * f"&{before};"}">' for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
HOSTILE = {
    "a DOCTYPE": ("m.xml", epu_xml(head=BOMB + "]>", volts="&i;").encode(), "DOCTYPE"),
    "no end": ("m.xml", epu_xml()[:900].encode(), "no whole XML"),
    "depth": ("m.xml", b"<MicroscopeImage>" + b"<a>" * 10**5, "deep"),
    "an unknown alphabet": ("m.xml", b"<?xml version='1.0' encoding='utf-99'?><MicroscopeImage/>", "XML"),
    "another alphabet": ("m.xml", b"<?xml version='1.0' encoding='utf-7'?><MicroscopeImage/>", ""),
    "no number": ("m.xml", epu_xml("nan").encode(), "pixelSize"),
    "an endless number": ("m.xml", epu_xml("9" * 10**5).encode(), "pixelSize"),
    "100 MB": ("m.mrc.mdoc", None, "longer than 4 MiB"),
    "100 MB of XML": ("m.xml", None, "longer than 4 MiB"),
    "nanometres": ("m.mdoc", mdoc("m.mrc", size=830).encode(), "PixelSpacing '830'"),
    "a negative size": ("m.mdoc", mdoc("m.mrc", size=-1).encode(), "PixelSpacing"),
    "a voltage of volts": ("m.mdoc", mdoc("m.mrc", voltage=300000).encode(), "Voltage"),
    "bytes": ("m.mdoc", np.random.default_rng(2).bytes(10**5), ""),
    "a path": ("m.mdoc", mdoc("m.mrc", gain="../../../dev/zero").encode(), ""),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("is_movie", [False, True])
def test_a_hostile_sidecar_never_costs_a_micrograph(tmp_path, name, is_movie):
    called, content, reason = HOSTILE[name]
    path = write(tmp_path / "m.mrc", COUNTS if is_movie else COUNTS[0], 1.5)
    with (tmp_path / called).open("wb") as file:
        if content is None:
            file.truncate(10**8)
        else:
            file.write(content)
    read, size_A, _ = exposure(path)
    assert size_A == pytest.approx(1.5)
    assert any(reason in note for note in read.notes) or not reason
    assert all(len(note) < 400 and note.isprintable() for note in read.notes)


def test_a_pipe_is_passed_by(tmp_path):
    path = write(tmp_path / "m.mrc", COUNTS[0], 1.5)
    os.mkfifo(tmp_path / "m.mdoc")
    assert exposure(path)[0].sidecar == Sidecar()
