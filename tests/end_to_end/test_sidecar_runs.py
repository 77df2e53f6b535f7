"""A folder as SerialEM leaves it runs without a pixel size."""

import json

import pytest
import starfile
from micrograph_files import LOG, PIXEL_SIZE_A, phantom, write_mrc

from tests.micrographs.epu_files import epu_xml

IMAGE = """PixelSpacing = {size}
Voltage = 200
ImageFile = {name}
ImageSize = 576 512

[ZValue = 0]
PixelSpacing = {size}
Binning = 2
"""


def write_mdoc(path, size_A=PIXEL_SIZE_A):
    path.with_name(f"{path.name}.mdoc").write_text(IMAGE.format(size=size_A, name=path.name))


def write_epu_xml(path):
    path.with_suffix(".xml").write_text(epu_xml("4E-10", area=(512, 576), volts=200000))


@pytest.mark.parametrize("header_A", [1.0, 0.0])
@pytest.mark.parametrize("beside", [write_mdoc, write_epu_xml])
def test_a_sidecar_s_pixel_size_reaches_the_particles(cryopick, tmp_path, header_A, beside):
    folder, out = tmp_path / "in", tmp_path / "run"
    for seed in range(2):
        write_mrc(path := folder / f"{seed}.mrc", phantom(seed).pixels, header_A)
        beside(path)
    status, _, heard = cryopick("run", folder, *LOG, "--engine", "serial", "--out", out)
    assert status == 0, heard
    optics = starfile.read(out / "coordinates/particles.star")["optics"]
    assert optics["rlnMicrographPixelSize"].tolist() == [PIXEL_SIZE_A]
    assert optics["rlnVoltage"].tolist() == [200]
    assert optics["rlnOpticsGroupName"].tolist() == ["in"]
    told = [record["text"] for record in json.loads((out / "summary.json").read_text())["warnings"]]
    assert sum("pixel size 4 A from its" in text for text in told) == 1
    assert sum("voltage 200 kV from its" in text for text in told) == 1
    assert not any("300 kV" in text for text in told)


def test_without_one_the_pixel_size_is_asked_for(cryopick, tmp_path):
    for seed in range(2):
        write_mrc(tmp_path / "in" / f"{seed}.mrc", phantom(seed).pixels, 1.0)
    (tmp_path / "in/0.mdoc").write_text("[ZValue = 0]\nPixelSpacing = many\n")
    status, _, heard = cryopick("run", tmp_path / "in", *LOG, "--engine", "serial", "--out", tmp_path / "run")
    assert status == 2
    assert "--pixel-size" in heard
