"""The RELION project that an INPUT lies in."""

from pathlib import Path

import pytest

from cryopick_ray.micrographs.sources import list_sources
from cryopick_ray.project import project_of
from cryopick_ray.settings.config import rooted
from cryopick_ray.settings.run_settings import RunSettings


@pytest.fixture
def project(tmp_path, monkeypatch):
    work, project = tmp_path / "work", tmp_path / "project"
    for folder in (work, project / "CtfFind/job005", project / "raw", project / "my/job012"):
        folder.mkdir(parents=True)
    (project / "default_pipeline.star").touch()
    (project / "CtfFind/job005/default_pipeline.star").touch()  # as RELION 5 keeps one in each job
    monkeypatch.chdir(work)
    return project


@pytest.mark.parametrize(
    "text",
    [
        "CtfFind/job005/micrographs_ctf.star",
        "CtfFind/job005",
        "raw",
        "raw/*.mrc",
        "mics.star",
        "",
        "my/job012",
    ],
)
def test_the_project_is_found_above_input(project, text):
    assert project_of([str(project / text)]) == project


@pytest.mark.parametrize("folder", ["MotionCorr/job002", "Denoise/job1234"])
def test_a_job_folder_tells_its_project_without_a_pipeline(tmp_path, folder):
    (tmp_path / folder / "Movies").mkdir(parents=True)
    if folder.startswith("Denoise"):
        assert project_of([str(tmp_path / folder / "Movies/a.mrc")]) == Path.cwd()
        (tmp_path / folder / "job.star").touch()
    assert project_of([str(tmp_path / folder / "Movies/a.mrc")]) == tmp_path


def test_the_given_project_wins_and_the_working_folder_is_the_last_resort(project):
    assert project_of([str(project / "raw")], Path("elsewhere")) == Path("elsewhere").absolute()
    assert project_of(["s3://bucket/raw", "empiar:10017", "nowhere"]) == Path.cwd()
    assert project_of(["nowhere", str(project / "raw")]) == project


def test_a_link_to_data_elsewhere_is_in_the_project_that_it_lies_in(project, tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk/a.mrc").touch()
    (project / "Micrographs").symlink_to(tmp_path / "disk")
    inputs = (str(project / "Micrographs"),)
    settings = rooted(RunSettings(inputs=inputs))
    assert settings.relion_project == project
    (source,) = list_sources(inputs, **settings.which)
    assert source.relion_name == "Micrographs/a.mrc"


def test_a_list_in_a_project_is_read_from_any_folder(project):
    (project / "raw/a.mrc").touch()
    text = "data_micrographs\n\nloop_\n_rlnMicrographName #1\nraw/a.mrc\n"
    path = project / "CtfFind/job005/micrographs_ctf.star"
    path.write_text(text)
    settings = rooted(RunSettings(inputs=(str(path),)))
    (source,) = list_sources(settings.inputs, **settings.which)
    assert (source.path, source.relion_name) == (project / "raw/a.mrc", "raw/a.mrc")


def test_groups_that_a_list_lacks_are_told(tmp_path):
    (tmp_path / "a.mrc").touch()
    optics = "data_optics\n\nloop_\n_rlnOpticsGroup\n_rlnVoltage\n1 300\n\n"
    rows = "data_micrographs\n\nloop_\n_rlnMicrographName\n_rlnOpticsGroup\na.mrc 2\n"
    (tmp_path / "mics.star").write_text(optics + rows)
    told = []
    (source,) = list_sources([str(tmp_path / "mics.star")], relion_project=tmp_path, say=told.append)
    assert (source.optics, source.optics_group) == (None, "")
    assert told == ["optics group 2 is not in data_optics: 1 rows are taken as without optics"]
