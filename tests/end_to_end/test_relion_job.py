"""``cryopick relion``, started by RELION itself: jobs that finish, fail, are aborted and go on."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import starfile
from micrograph_files import DIAMETER_A, phantom, write_mrc

from cryopick_ray.picks.schema import PickedMicrograph
from cryopick_ray.runs.relion_job import Aborted, RelionJob, coordinate_files

SECONDS = 90
AS_INSTALLED = f"{sys.executable} -m cryopick_ray relion"
FINISHED, FAILED, ABORTED = 2, 3, 4
OPTICS = (
    "data_optics\n\nloop_\n_rlnOpticsGroupName #1\n_rlnOpticsGroup #2\n_rlnMicrographPixelSize #3\n"
    "_rlnVoltage #4\n_rlnSphericalAberration #5\n_rlnAmplitudeContrast #6\nopticsGroup1 1 4.0 300 2.7 0.1\n"
)
LOG = {"diameter": f"{DIAMETER_A:g}", "model": "log", "invert": "no", "engine": "serial"}


class Project:
    """A project of RELION 3.1 with micrographs that it has corrected."""

    def __init__(self, path, environment, executable):
        self.path, self.environment, self.executable = path, environment, executable
        (path / "default_pipeline.star").write_text("data_pipeline_general\n\n_rlnPipeLineJobCounter 1\n")

    def micrographs(self, count, listed=None):
        names = [f"MotionCorr/job002/Movies/m{number}.mrc" for number in range(count)]
        pictures = [phantom(seed).pixels for seed in range(2)]
        for number, name in enumerate(names):
            write_mrc(self.path / name, pictures[number % 2])
        rows = "\n".join(f"{name} 1" for name in listed or names)
        table = f"data_micrographs\n\nloop_\n_rlnMicrographName #1\n_rlnOpticsGroup #2\n{rows}\n"
        (self.path / "mics.star").write_text(f"{OPTICS}\n{table}")
        return names

    def pipeliner(self, *arguments):
        """Run RELION's pipeliner, which hangs for good where a lock is left."""
        done = subprocess.run(
            ["relion_pipeliner", *arguments],
            cwd=self.path,
            env=self.environment,
            timeout=SECONDS,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr

    def add(self, kind, **options):
        before = {path.parent for path in self.path.glob("*/job*/job.star")}
        self.pipeliner(
            "--addJob", kind, "--addJobOptions", ";".join(f"{k} == {v}" for k, v in options.items())
        )
        (job,) = {path.parent for path in self.path.glob("*/job*/job.star")} - before
        return job

    def external(self, parameters, in_mic="mics.star", **options):
        for number, (label, value) in enumerate(parameters.items(), 1):
            options |= {f"param{number}_label": label, f"param{number}_value": value}
        return self.add("External", fn_exe=self.executable, in_mic=in_mic, **options)

    def run(self, job):
        self.pipeliner("--RunJobs", f"{self.name(job)}/", "--sec_wait_after", "0")
        return self.status(job)

    def name(self, job):
        return job.relative_to(self.path).as_posix()

    def pipeline(self, block):
        return starfile.read(self.path / "default_pipeline.star", always_dict=True)[f"pipeline_{block}"]

    def status(self, job):
        rows = self.pipeline("processes")
        return int(rows.set_index("rlnPipeLineProcessName").rlnPipeLineProcessStatus[f"{self.name(job)}/"])


@pytest.fixture
def project(relion, programs, tmp_path):
    """A project with a command that starts at once."""
    return Project(tmp_path, relion, f"{programs / 'cryopick'} relion")


def test_a_job_finishes_its_nodes_are_known_and_relion_extracts_its_picks(project):
    project.executable = AS_INSTALLED
    names = project.micrographs(2)
    job = project.external(LOG, nr_threads=2)
    assert project.run(job) == FINISHED
    assert (job / "run.err").read_text() == ""
    assert "50 particles in 2 micrographs" in (job / "run.out").read_text()
    nodes = set(project.pipeline("nodes").rlnPipeLineNodeName)
    assert {"External/job001/autopick.star", "External/job001/coords_suffix_autopick.star"} <= nodes
    assert set(project.pipeline("output_edges").rlnPipeLineEdgeProcess) == {"External/job001/"}

    files = starfile.read(job / "autopick.star")
    assert list(files.rlnMicrographName) == names
    assert list(files.rlnMicrographCoordinates) == [
        f"External/job001/Movies/m{number}_autopick.star" for number in range(2)
    ]
    summary = starfile.read(job / "summary.star")
    assert list(summary.rlnMicrographName) == names
    for path, count, mean in zip(
        files.rlnMicrographCoordinates,
        summary.rlnGroupNrParticles,
        summary.rlnAutopickFigureOfMerit,
        strict=True,
    ):
        rows = starfile.read(project.path / path)
        assert (len(rows), rows.rlnAutopickFigureOfMerit.mean()) == (count, pytest.approx(mean, abs=1e-5))
    assert "<html" in (job / "report.html").read_text()

    extract = project.add(
        "Extract",
        star_mics="mics.star",
        coords_suffix="External/job001/coords_suffix_autopick.star",
        extract_size=64,
        bg_diameter=40,
    )
    assert project.run(extract) == FINISHED
    extracted = starfile.read(extract / "particles.star")["particles"]
    ours = starfile.read(job / "particles.star")["particles"]
    assert list(extracted.rlnMicrographName) == list(ours.rlnMicrographName)
    columns = ["rlnCoordinateX", "rlnCoordinateY"]
    assert np.abs(extracted[columns].to_numpy() - ours[columns].to_numpy()).max() < 1e-3


@pytest.mark.parametrize(
    ("parameters", "in_mic", "words"),
    [
        ({"diameter": "-5"}, "mics.star", "--diameter is -5: input should be greater than 0"),
        (LOG, "elsewhere.star", "names in a STAR file are relative to the working folder"),
    ],
)
def test_bad_input_is_a_failure_with_its_reason_in_one_line(project, parameters, in_mic, words):
    project.micrographs(1)
    (project.path / "elsewhere.star").write_text("data_\n\nloop_\n_rlnMicrographName #1\nMovies/gone.mrc\n")
    job = project.external(parameters, in_mic)
    assert project.run(job) == FAILED
    (line,) = (job / "run.err").read_text().splitlines()
    assert words in line
    assert not (job / "RELION_OUTPUT_NODES.star").exists()


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--in_mics", "nowhere.star"], 2, "nowhere.star"),
        (["--in_mics", "words.star"], 2, "expected data_micrographs"),
        (["--in_mics", "mics.star", "--diametre", "150"], 2, "No such option: --diametre"),
        (["--in_mics", "mics.star", "--j", "0"], 2, "--j"),
        (["--in_parts", "mics.star"], 2, "--in_parts is mics.star"),
        (["--in_mics", "mics.star", "--in_movies", "mics.star"], 2, "2 inputs: expected one of"),
        ([], 2, "0 inputs: expected one of"),
    ],
)
def test_whatever_is_wrong_is_a_failure_with_its_reason(
    cryopick, tmp_path, monkeypatch, arguments, status, words
):
    monkeypatch.chdir(tmp_path)
    Path("words.star").write_text("just words\n")
    done = cryopick("relion", "--o", "External/job001/", *arguments)
    assert (done[0], done[1]) == (status, "")
    (line,) = done[2].splitlines()
    assert words in line
    assert [path.name for path in Path("External/job001").iterdir()] == ["RELION_JOB_EXIT_FAILURE"]


def test_a_job_with_a_failed_micrograph_succeeds_and_tells_it(project):
    names = project.micrographs(1, ["MotionCorr/job002/Movies/m0.mrc", "MotionCorr/job002/Movies/gone.mrc"])
    job = project.external(LOG)
    assert project.run(job) == FINISHED
    assert "gone.mrc: there is no such file" in (job / "run.err").read_text()
    rows = (job / "autopick.star").read_text().split("#2\n")[1].splitlines()
    assert rows == [f"{names[0]} External/job001/Movies/m0_autopick.star"]


def test_movies_are_picked_in_averages_that_lie_in_the_project(cryopick, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pixels = phantom(0).pixels
    electrons = (pixels - pixels.min()) / (pixels.max() - pixels.min()) * 4
    frames = np.random.default_rng(0).poisson(np.stack([electrons] * 4)).astype(np.uint8)
    write_mrc(tmp_path / "Movies" / "m.mrcs", frames)
    Path("movies.star").write_text("data_movies\n\nloop_\n_rlnMicrographMovieName #1\nMovies/m.mrcs\n")
    options = [text for name, value in LOG.items() for text in (f"--{name}", value)]
    given = ["--o", "External/job001/", "--in_movies", "movies.star", *options]
    status, said, errors = cryopick("relion", *given)
    assert (status, errors) == (0, "")
    assert "1 micrographs, 0 failed" in said
    *_, row = Path("External/job001/autopick.star").read_text().splitlines()
    average, coordinates = row.split()
    assert average == "External/job001/cryopick/micrographs/m.mrc"
    assert Path(average).is_file()
    assert Path(coordinates).is_file()


def test_an_aborted_job_keeps_what_is_done_and_goes_on(project):
    names = project.micrographs(72)  # it looks for an order to abort twice a second
    job = project.external(LOG)
    running = subprocess.Popen(
        ["relion_pipeliner", "--RunJobs", "External/job001/", "--sec_wait_after", "0"],
        cwd=project.path,
        env=project.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until = time.monotonic() + SECONDS
    while not any((job / "cryopick" / "picks").glob("*/*.parquet")):
        assert time.monotonic() < until
        time.sleep(0.05)
    (job / "RELION_JOB_ABORT_NOW").touch()
    running.wait(SECONDS)
    assert project.status(job) == ABORTED
    assert not (job / "RELION_JOB_ABORT_NOW").exists()
    assert "Continue" in (job / "run.err").read_text()
    kept = {path.name for path in (job / "cryopick" / "picks").glob("*/*.parquet")}
    assert kept

    assert project.run(job) == FINISHED
    assert "already done" in (job / "run.out").read_text()
    assert kept < {path.name for path in (job / "cryopick" / "picks").glob("*/*.parquet")}
    assert sorted(starfile.read(job / "autopick.star").rlnMicrographName) == sorted(names)
    assert set(starfile.read(job / "summary.star").rlnGroupNrParticles) == {25}


def test_a_job_is_ended_wherever_it_waits(tmp_path):
    job = RelionJob(tmp_path / "External" / "job001")
    began = time.monotonic()

    def wait():
        with job.exit_status():
            (job.path / "RELION_JOB_ABORT_NOW").touch()
            time.sleep(SECONDS)

    with pytest.raises(Aborted):
        wait()
    assert time.monotonic() - began < SECONDS / 2
    assert [path.name for path in job.path.iterdir()] == ["RELION_JOB_EXIT_ABORTED"]
    with job.exit_status():
        pass
    assert [path.name for path in job.path.iterdir()] == ["RELION_JOB_EXIT_SUCCESS"]


def test_coordinate_files_are_named_as_relion_does_and_never_twice():
    def micrograph(number, name, status="complete"):
        return PickedMicrograph(f"{number}/{Path(name).name}", "d", name, (9, 9), 1.0, None, status, "")

    names = {
        "MotionCorr/job002/Movies/a.mrc": "Movies/a_autopick.star",
        "Micrographs/a.b.mrc": "Micrographs/a.b_autopick.star",
        "/far/away/c.tif": "far/away/c_autopick.star",
        "MotionCorr/job002/Movies/twice.mrc": "star/3/twice.mrc.star",
        "MotionCorr/job003/Movies/twice.mrc": "star/4/twice.mrc.star",
        "../x/d.mrc": "x/d_autopick.star",
    }
    unwritable = micrograph(9, f"Movies/{'long' * 61}.mrc", "failed")
    files = coordinate_files([unwritable, *(micrograph(number, name) for number, name in enumerate(names))])
    assert list(files.values()) == list(names.values())
    assert all(len(os.fsencode(Path(file).name)) <= 255 for file in files.values())
