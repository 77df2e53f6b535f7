import mrcfile
import numpy as np
import pandas as pd
import pytest
import starfile
from typer.testing import CliRunner

from cli.main import app
from cryopick_ray.simulate.phantom import make_phantom

PIXEL_SIZE_A = 4.0
DIAMETER_A = 150.0


def write_mrc(path, pixels, pixel_size_A=PIXEL_SIZE_A):
    path.parent.mkdir(parents=True, exist_ok=True)
    with mrcfile.new(path) as mrc:
        mrc.set_data(pixels)
        mrc.voxel_size = pixel_size_A


def phantom(seed, shape=(512, 576)):
    return make_phantom(
        seed,
        shape=shape,
        pixel_size_A=PIXEL_SIZE_A,
        diameter_A=DIAMETER_A,
        particles=25,
        signal_to_noise=0.05,
    )


@pytest.fixture(scope="session")
def phantoms(tmp_path_factory):
    """Twelve micrographs in two folders, some with equal base names, and their truth."""
    root = tmp_path_factory.mktemp("phantoms")
    for seed in range(12):
        made = phantom(seed)
        name = f"square{seed % 2}/{seed // 2:02d}"
        write_mrc(root / "micrographs" / f"{name}.mrc", made.pixels)
        path = root / "truth" / f"{name}.star"
        path.parent.mkdir(parents=True, exist_ok=True)
        starfile.write(pd.DataFrame({"rlnCoordinateX": made.x_px, "rlnCoordinateY": made.y_px}), path)
    return root


@pytest.fixture
def cryopick():
    """Run the command line in this process; return its exit status, output and error output."""

    def run(*arguments):
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.stdout, result.stderr

    return run


def table_bytes(folder):
    """Return the name and content of every file of a run's table."""
    table = folder / "table"
    return {p.relative_to(table).as_posix(): p.read_bytes() for p in sorted(table.rglob("*")) if p.is_file()}


@pytest.fixture(scope="session")
def serial_run(phantoms, tmp_path_factory):
    """The reference: one finished serial run over the phantoms."""
    out = tmp_path_factory.mktemp("serial") / "run"
    result = CliRunner().invoke(
        app,
        ["run", str(phantoms / "micrographs"), "--diameter", "150", "--out", str(out), "--engine", "serial"],
    )
    assert result.exit_code == 0, result.output
    return out


def broken_folder(folder):
    """Fill a folder with every kind of bad file and two good ones; return the reasons expected."""
    good = phantom(0).pixels
    write_mrc(folder / "good.mrc", good)
    whole = (folder / "good.mrc").read_bytes()
    header = bytearray(whole[:1024])
    header[212:216] = b"\x11\x11\x00\x00"
    words = np.frombuffer(bytes(header), "<i4").astype(">i4").tobytes()
    big = bytearray(words)
    big[104:112], big[208:212], big[212:216], big[220:] = (
        header[104:112],
        b"MAP ",
        b"\x11\x11\x00\x00",
        header[220:],
    )
    (folder / "big_endian.mrc").write_bytes(bytes(big) + good.astype(">f4").tobytes())
    (folder / "truncated.mrc").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.mrc").write_bytes(b"")
    (folder / "garbage.mrc").write_bytes(np.random.default_rng(1).bytes(5000))
    nan = good.copy()
    nan[3, 5] = np.nan
    (folder / "nan.mrc").write_bytes(whole[:1024] + nan.tobytes())  # mrcfile would warn
    write_mrc(folder / "constant.mrc", np.full_like(good, 7))
    return {
        "truncated.mrc": "bytes",
        "empty.mrc": "empty",
        "garbage.mrc": "",
        "nan.mrc": "1 of",
        "constant.mrc": "constant",
    }
