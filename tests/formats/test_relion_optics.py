"""Optics groups and CTF of INPUT's list in particles.star."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
import starfile

from cryopick_ray.formats.coordinates import Coordinates, picked
from cryopick_ray.formats.format import ExportSettings
from cryopick_ray.formats.relion.particle_optics import guessed_optics
from cryopick_ray.formats.star import write_star
from cryopick_ray.micrographs.star_list import read_star_list
from cryopick_ray.picks.schema import MicrographPicks
from cryopick_ray.settings.microscope_settings import MicroscopeSettings
from cryopick_ray.units import Optics

GROUP = {
    "rlnOpticsGroupName": "shot A",
    "rlnOpticsGroup": "7",
    "rlnMtfFileName": "mtf_k2_200kV.star",
    "rlnMicrographOriginalPixelSize": "0.750000",
    "rlnVoltage": "200.0",
    "rlnSphericalAberration": "0.01",
    "rlnAmplitudeContrast": "0.07",
    "rlnBeamTiltX": "-0.5",
    "rlnOddZernike": "[0.1,-2e-3,0]",
    "rlnOfTomorrow": "x",
}
CTF = {"rlnDefocusU": "11949.061330", "rlnDefocusV": "11800.493288", "rlnDefocusAngle": "49.059993"}


@pytest.fixture
def listed(make_picks):
    def listed(name, group, ctf=None, **others) -> MicrographPicks:
        one = make_picks(name, 8, **others)
        optics = None if "rlnVoltage" not in group else Optics(float(group["rlnVoltage"]), 0.01, 0.07)
        text = json.dumps(ctf) if ctf else ""
        return replace(
            one,
            micrograph=replace(one.micrograph, optics=optics, optics_group=json.dumps(group), listed=text),
        )

    return listed


@pytest.fixture
def written(tmp_path):
    def written(*picks):
        told = []
        write_star(picked(picks), tmp_path, ExportSettings(tmp_path, say=told.append))
        blocks = starfile.read(
            tmp_path / "particles.star", parse_as_string=[*GROUP, "rlnMicrographPixelSize"]
        )
        return blocks["optics"], blocks["particles"], told

    return written


def test_a_group_passes_whole_with_its_name_and_number(written, listed):
    optics, particles, told = written(listed("1.mrc", GROUP))
    assert optics.to_dict("records") == [{**GROUP, "rlnMicrographPixelSize": "1.500000"}]
    assert set(particles["rlnOpticsGroup"]) == {"7"}
    assert not told


def test_groups_that_differ_by_name_alone_stay_apart(written, listed):
    groups = [GROUP, {**GROUP, "rlnOpticsGroupName": "shot B", "rlnOpticsGroup": "3"}]
    optics, particles, told = written(*(listed(f"{n}.mrc", groups[n % 2]) for n in range(4)))
    assert optics["rlnOpticsGroupName"].tolist() == ["shot A", "shot B"]
    assert particles.groupby("rlnMicrographName")["rlnOpticsGroup"].first().tolist() == ["7", "3", "7", "3"]
    assert not told


def test_clashing_groups_are_renumbered_and_named_apart_and_told(written, listed):
    other = {**GROUP, "rlnBeamTiltX": "0.5"}
    optics, particles, told = written(
        listed("1.mrc", GROUP), listed("2.mrc", other, dataset="second"), listed("3.mrc", GROUP)
    )
    assert optics["rlnOpticsGroupName"].tolist() == ["shot A", "shot A_second"]
    assert optics["rlnOpticsGroup"].tolist() == ["7", "8"]
    assert particles.groupby("rlnMicrographName")["rlnOpticsGroup"].first().tolist() == ["7", "8", "7"]
    assert "data set second" in told[0]


def test_micrographs_of_other_pixel_sizes_are_another_group(written, listed):
    optics, _, told = written(listed("1.mrc", GROUP), listed("2.mrc", GROUP, pixel_size_A=3.0))
    assert optics["rlnMicrographPixelSize"].tolist() == ["1.500000", "3.000000"]
    assert optics["rlnMicrographOriginalPixelSize"].tolist() == ["0.750000"] * 2
    assert told


def test_micrographs_without_a_list_have_a_group_of_their_data_set(written, listed, make_picks):
    optics, *_ = written(listed("1.mrc", GROUP), make_picks("2.mrc", dataset="it's mine"))
    assert optics["rlnOpticsGroupName"].tolist() == ["shot A", "it_s mine"]
    assert optics["rlnOpticsGroup"].tolist() == ["7", "8"]
    assert optics["rlnVoltage"].tolist() == ["200.0", "300.000000"]
    assert optics["rlnMicrographOriginalPixelSize"].tolist() == ["0.750000", "1.500000"]


def test_what_a_group_lacks_is_filled_in_and_what_is_no_number_replaced(written, listed):
    optics, *_ = written(
        listed("1.mrc", {"rlnOpticsGroup": "1", "rlnAmplitudeContrast": "nan", "rlnX": "a\x01b"})
    )
    (group,) = optics.to_dict("records")
    assert (group["rlnOpticsGroupName"], group["rlnVoltage"]) == ("10146", "300.000000")
    assert (group["rlnAmplitudeContrast"], "rlnX" in group) == ("0.100000", False)


def test_particles_have_the_ctf_of_their_micrograph(written, listed):
    other = {**CTF, "rlnDefocusU": "20000", "rlnCtfMaxResolution": "4.5", "rlnCtfImage": "a.ctf:mrc"}
    _, particles, told = written(
        listed("1.mrc", GROUP, CTF), listed("2.mrc", GROUP, other), listed("3.mrc", GROUP)
    )
    assert [column for column in particles if "Ctf" in column or "Defocus" in column] == [
        *CTF, "rlnCtfMaxResolution"
    ]  # fmt: skip
    first = particles.groupby("rlnMicrographName").first()
    assert first["rlnDefocusU"].tolist() == [11949.06133, 20000, 0]
    assert first["rlnCtfMaxResolution"].tolist() == [0, 4.5, 0]
    assert "4 particles in particles.star have a defocus of 0" in told[0]


def test_a_real_list_goes_from_its_rows_to_the_particles(real_data, written, make_picks):
    path = real_data / "formats/relion5-project/CtfFind/job005/micrographs_ctf.star"
    micrographs = read_star_list(path, real_data)
    assert len(micrographs) == 24
    picks = []
    for micrograph in micrographs:
        made = make_picks(micrograph.name, 4, pixel_size_A=0.885)
        carried = {name: getattr(micrograph, name) for name in ("optics", "optics_group", "listed")}
        picks.append(
            replace(made, micrograph=replace(made.micrograph, relion_name=micrograph.name, **carried))
        )
    optics, particles, told = written(*picks)
    source = starfile.read(path)
    assert optics["rlnMtfFileName"].tolist() == ["mtf_k2_200kV.star"]
    first = particles.groupby("rlnMicrographName", sort=False).first()
    for column in ("rlnDefocusU", "rlnDefocusV", "rlnDefocusAngle", "rlnCtfMaxResolution"):
        np.testing.assert_allclose(first[column], source["micrographs"][column])
    assert json.loads(micrographs[0].listed)["rlnCtfIceRingDensity"] == "1.484760"
    assert not told


def test_columns_of_particles_come_back_and_those_that_have_no_place_are_told(tmp_path, make_picks):
    def particles(name, **columns):
        one = make_picks(name, 3, picked=3)
        return Coordinates(one.micrograph, one.x_px, one.y_px, np.full(3, np.nan), columns=columns)

    told = []
    picks = [particles("1.mrc", rlnClassNumber=np.arange(3)), particles("2.mrc", rlnAnglePsi=np.ones(3))]
    write_star(picks, tmp_path, ExportSettings(tmp_path, say=told.append))
    table = starfile.read(tmp_path / "particles.star")["particles"]
    assert table["rlnClassNumber"].tolist() == [0, 1, 2, 0, 0, 0]
    assert set(table["rlnAutopickFigureOfMerit"]) == {-999}
    assert list(starfile.read(tmp_path / "star/2.mrc.star"))[-1] == "rlnAnglePsi"
    assert told == ["particles.star has no rlnAnglePsi, which only some of its micrographs have"]


@pytest.mark.parametrize("voltage_kV", [200.0, Optics().voltage_kV])
def test_what_is_guessed_of_the_microscope_is_told_and_what_is_given_is_not(voltage_kV, make_picks, listed):
    known, unknown = listed("1.mrc", GROUP).micrograph, make_picks("2.mrc").micrograph
    assert guessed_optics([known], MicroscopeSettings()) is None
    text = guessed_optics([known, unknown], MicroscopeSettings(voltage_kV=voltage_kV))
    assert "of 1 micrographs" in text
    assert "`optics.amplitude_contrast`" in text
    assert "`optics.voltage_kV`" not in text


def test_a_microscope_that_is_given_whole_is_no_guess(make_picks):
    usual = Optics()
    given = MicroscopeSettings(**asdict(usual))
    assert given.completed == MicroscopeSettings().completed == usual
    assert guessed_optics([make_picks("2.mrc").micrograph], given) is None
