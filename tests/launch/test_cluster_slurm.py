"""Jobs of SLURM through its commands; stand-ins play a queue of one job kept in a file."""

import pytest

from cryopick_ray.errors import EngineError
from cryopick_ray.launch.slurm_jobs import SlurmJobs

SQUEUE = """#!/bin/sh
case "$*" in *--me*--name=picks*--states=all*) ;; *) exit 1 ;; esac
[ ! -e queue ] || awk '{printf "%-20s%-20s%-20s%-60s\\n", $1, $2, $3, $4}' queue
"""
SBATCH = """#!/bin/sh
cat > script
number=$(($(wc -l < queue 2> /dev/null || echo 0) + 1))
echo "$number PENDING 0 Priority" >> queue
echo "$number;cluster"
"""
SCANCEL = """#!/bin/sh
echo "$*" > cancelled
sed -i '$s/PENDING 0 Priority/CANCELLED 0 None/; $s/RUNNING 0 None/FAILED 33280 NonZeroExitCode/' queue
"""
SACCT = """#!/bin/sh
printf '%20s %20s %20s \\n' 7 COMPLETED 0:0 8 'CANCELLED by 1000' 3:0
"""


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """Put the stand-ins into the path; their queue lies in the working folder."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in {"squeue": SQUEUE, "sbatch": SBATCH, "scancel": SCANCEL, "sacct": SACCT}.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture
def jobs(tmp_path):
    return SlurmJobs("picks", "#!/bin/bash\necho $(id) 'é'\n", tmp_path / "logs" / "picks.log")


def becomes(tmp_path, state):
    (tmp_path / "queue").write_text(f"1 {state}\n")


def test_a_run_is_submitted_once_as_it_is(commands, jobs, tmp_path):
    first, is_new = jobs.submit()
    assert (first.id, first.active, is_new) == ("1", True, True)
    assert (tmp_path / "script").read_text() == "#!/bin/bash\necho $(id) 'é'\n"
    for state in ("PENDING 0 Priority", "RUNNING 0 None", "COMPLETING 0 None", "SUSPENDED 0 None"):
        becomes(tmp_path, state)
        again, is_new = jobs.submit()
        assert (again.id, is_new) == ("1", False)
    becomes(tmp_path, "FAILED 256 NonZeroExitCode")
    assert jobs.submit()[0].id == "2"


@pytest.mark.parametrize(
    ("line", "active", "exit_code", "text"),
    [
        ("PENDING 0 Resources", True, None, "1: pending (Resources)"),
        ("RUNNING 0 None", True, None, "1: running"),
        ("COMPLETED 0 None", False, 0, "1: completed"),
        ("FAILED 768 NonZeroExitCode", False, 3, "1: done, with micrographs that failed"),
        ("FAILED 33280 NonZeroExitCode", False, 130, "1: stopped; submit goes on with it"),
        ("FAILED 256 NonZeroExitCode", False, 1, "1: failed, exit status 1"),
    ],
)
def test_a_job_is_told_as_it_is(commands, jobs, tmp_path, line, active, exit_code, text):
    becomes(tmp_path, line)
    job = jobs.last()
    assert (job.active, job.exit_code, job.text()) == (active, exit_code, text)


def test_a_job_long_ended_is_looked_up_in_the_accounting(commands, jobs):
    job = jobs.last()
    assert (job.id, job.state, job.exit_code, job.active) == ("8", "CANCELLED", 3, False)
    (commands / "sacct").write_text("#!/bin/sh\necho 'accounting is disabled' >&2\nexit 1\n")
    assert jobs.last() is None


def test_a_waiting_job_is_cancelled_and_a_running_one_told_to_end(commands, jobs, tmp_path):
    becomes(tmp_path, "PENDING 0 Priority")
    assert jobs.stop(jobs.last()).state == "CANCELLED"
    assert (tmp_path / "cancelled").read_text() == "1\n"
    becomes(tmp_path, "RUNNING 0 None")
    assert jobs.stop(jobs.last()).exit_code == 130
    assert (tmp_path / "cancelled").read_text() == "--batch --signal=TERM 1\n"


def test_the_log_is_followed_to_the_end(commands, jobs, tmp_path):
    becomes(tmp_path, "RUNNING 0 None")
    log = tmp_path / "logs" / "picks.log"
    pieces = jobs.logs(jobs.last(), follow=True)
    log.parent.mkdir()
    log.write_text("one\n")
    assert next(pieces) == "one\n"
    with log.open("a") as file:
        file.write("two\n")
    becomes(tmp_path, "COMPLETED 0 None")
    assert list(pieces) == ["two\n"]
    assert list(jobs.logs(jobs.last(), follow=False)) == ["one\ntwo\n"]


def test_slurm_that_is_not_there_or_refuses_is_said_in_a_line(commands, jobs, monkeypatch):
    (commands / "sbatch").write_text(
        "#!/bin/sh\necho 'sbatch: a\nsbatch: error: invalid partition' >&2\nexit 1\n"
    )
    with pytest.raises(EngineError, match=r"^sbatch: sbatch: error: invalid partition$"):
        jobs.submit()
    (commands / "squeue").unlink()
    monkeypatch.setenv("PATH", str(commands))
    with pytest.raises(EngineError, match=r"squeue is not found.*login node"):
        jobs.submit()
