import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

from cryopick_ray.errors import UsageError
from cryopick_ray.runs.run_folder import RunFolder
from cryopick_ray.settings.config import load_settings, read_yaml
from cryopick_ray.store.claim import claimed, local_folder
from cryopick_ray.training.loop.checkpoint import CHECKPOINT
from cryopick_ray.training.training_folder import TrainingFolder
from cryopick_ray.training.training_settings import LearnSettings, train_settings

RUN = load_settings({"inputs": ["x"], "diameter_A": 60})
DATA = {"name": "apo", "micrographs": ["m"], "labels": "labels", "diameter_A": 60}


def training(**changes):
    return train_settings({"network": "heatmap", "data": [DATA]} | changes)


def claim_from_another_process(path):
    code = (
        "import sys; from pathlib import Path; from cryopick_ray.store.claim import claimed\n"
        "from cryopick_ray.settings.config import load_settings\n"
        "settings = load_settings({'inputs': ['x'], 'diameter_A': 60})\n"
        "with claimed(Path(sys.argv[1]), settings, [], resume=True): pass"
    )
    return subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("there", [False, True])
def test_a_new_folder_is_claimed_and_keeps_the_settings(tmp_path, there):
    path = tmp_path / "deep" / "run"
    if there:
        path.mkdir(parents=True)
    with claimed(path, RUN, [], resume=False):
        assert load_settings(read_yaml(path / "config.yaml")) == RUN
    assert sorted(one.name for one in path.iterdir()) == [".lock", "config.yaml"]


def test_a_folder_at_work_is_refused_to_a_second_claimant(tmp_path):
    with claimed(tmp_path / "run", RUN, [], resume=False):
        with (
            pytest.raises(UsageError, match="another run is at work"),
            claimed(tmp_path / "run", RUN, [], resume=True),
        ):
            pass
        other = claim_from_another_process(tmp_path / "run")
        assert other.returncode != 0
        assert "another run is at work" in other.stderr
    assert claim_from_another_process(tmp_path / "run").returncode == 0


def test_the_refused_one_leaves_the_settings_alone(tmp_path):
    other = load_settings({"inputs": ["y"], "diameter_A": 90})
    with claimed(tmp_path / "run", RUN, [], resume=False):
        with pytest.raises(UsageError), claimed(tmp_path / "run", other, [], resume=True):
            pass
        assert load_settings(read_yaml(tmp_path / "run" / "config.yaml")) == RUN


def test_a_folder_is_free_again_after_an_error(tmp_path):
    with pytest.raises(RuntimeError), claimed(tmp_path, RUN, [], resume=False):
        raise RuntimeError
    with claimed(tmp_path, RUN, [], resume=True):
        pass


def test_work_goes_on_only_if_asked_for_and_unchanged(tmp_path):
    with claimed(tmp_path, RUN, [], resume=False):
        pass
    with pytest.raises(UsageError, match="holds a run; go on with it by `resume`"):
        claimed(tmp_path, RUN, [], resume=False).__enter__()
    with pytest.raises(UsageError, match=r"other settings \(a: 1 -> 2; b: 3 -> 4\)"):
        claimed(tmp_path, RUN, ["a: 1 -> 2", "b: 3 -> 4"], resume=True).__enter__()
    with claimed(tmp_path, RUN, [], resume=True):
        pass


def test_a_folder_with_other_things_is_refused(tmp_path):
    (tmp_path / "thesis.txt").touch()
    for resume in (False, True):
        with pytest.raises(UsageError, match="is not empty and holds no run"):
            claimed(tmp_path, RUN, [], resume=resume).__enter__()
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_is_refused(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(UsageError, match="is not a folder"):
        claimed(tmp_path / "out", RUN, [], resume=False).__enter__()
    assert (tmp_path / "out").read_text() == "mine"


def test_what_a_run_leaves_that_was_killed_at_once_is_no_hindrance(tmp_path):
    (tmp_path / ".lock").touch()
    (tmp_path / "config.partial").write_text("half a fi")
    with claimed(tmp_path, RUN, [], resume=False):
        assert load_settings(read_yaml(tmp_path / "config.yaml")) == RUN


def test_the_lock_is_one_that_dies_with_its_process(tmp_path):
    with claimed(tmp_path, RUN, [], resume=False):
        pass
    with Path(tmp_path / ".lock").open("w") as lock:  # an old lock file alone locks nobody out
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def begun(path, settings):
    """Claim for a training and leave a checkpoint, as a killed one does."""
    with TrainingFolder(path).claim(settings, resume=False):
        (path / "fold-1" / "checkpoints").mkdir(parents=True)
        (path / "fold-1" / "checkpoints" / CHECKPOINT).touch()


def test_a_training_that_has_begun_goes_on_by_resume_only(tmp_path):
    begun(tmp_path, training())
    with pytest.raises(UsageError, match="`resume`"):
        TrainingFolder(tmp_path).claim(training(), resume=False).__enter__()
    with TrainingFolder(tmp_path).claim(training(), resume=True):
        pass


def test_how_long_a_training_lasts_may_change_but_not_what_is_learned(tmp_path):
    begun(tmp_path, training(options={"base": 8}))
    longer = training(options={"base": 8}, epochs=50, patience=3)
    with TrainingFolder(tmp_path).claim(longer, resume=True):
        assert train_settings(read_yaml(tmp_path / "config.yaml")) == longer
    for changes, told in (
        ({"options": {"base": 16}}, r"options\.base: 8 -> 16"),
        ({}, r"options\.base: 8 -> None"),
        ({"options": {"base": 8}, "seed": 1}, "seed: 0 -> 1"),
        (
            {"options": {"base": 8}, "data": [DATA | {"diameter_A": 70}]},
            r"data\.0\.diameter_A: 60\.0 -> 70\.0",
        ),
        ({"options": {"base": 8}, "data": [DATA, DATA | {"name": "b"}]}, r"data\.1\.name: None -> b"),
    ):
        with pytest.raises(UsageError, match=told):
            TrainingFolder(tmp_path).claim(training(**changes), resume=True).__enter__()
    assert train_settings(read_yaml(tmp_path / "config.yaml")) == longer


def test_a_training_without_a_checkpoint_may_start_anew(tmp_path):
    """A label outside its micrograph, say, stopped it: mend the settings and call again."""
    with TrainingFolder(tmp_path).claim(training(), resume=False):
        (tmp_path / "stores").mkdir()
    with TrainingFolder(tmp_path).claim(training(seed=5), resume=False):
        assert train_settings(read_yaml(tmp_path / "config.yaml")).seed == 5


@pytest.mark.parametrize("resume", [False, True])
def test_a_training_does_not_take_over_a_run(tmp_path, resume):
    with RunFolder(tmp_path).claim(RUN, resume=False):
        pass
    with pytest.raises(UsageError, match=r"holds a run, not a training; [^;]*$"):
        TrainingFolder(tmp_path).claim(training(), resume=resume).__enter__()
    assert RunFolder(tmp_path).settings() == RUN


def test_a_run_does_not_take_over_a_training(tmp_path):
    begun(tmp_path, training())
    for resume in (False, True):
        with pytest.raises(UsageError, match=r"holds a training, not a run; [^;]*$"):
            RunFolder(tmp_path).claim(RUN, resume=resume).__enter__()
    with pytest.raises(UsageError, match=r"holds a training, not a run; [^;]*$"):
        RunFolder(tmp_path).settings()
    assert train_settings(read_yaml(tmp_path / "config.yaml")) == training()


@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_that_is_trained_in_is_refused_to_a_second_training(tmp_path, resume):
    with TrainingFolder(tmp_path).claim(training(), resume=False):
        code = (
            "import sys; from pathlib import Path\n"
            "from cryopick_ray.training.training_folder import TrainingFolder\n"
            "from cryopick_ray.settings.config import read_yaml\n"
            "from cryopick_ray.training.training_settings import train_settings\n"
            "folder = Path(sys.argv[1]); settings = train_settings(read_yaml(folder / 'config.yaml'))\n"
            f"with TrainingFolder(folder).claim(settings, resume={resume}): pass"
        )
        other = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False
        )
    assert other.returncode != 0
    assert "another run is at work" in other.stderr


def test_a_training_of_another_kind_is_refused(tmp_path):
    """Such as that of ``self-train``, which has settings of its own."""

    class OtherSettings(LearnSettings):
        share: float

    with TrainingFolder(tmp_path).claim(OtherSettings(network="heatmap", share=0.5), resume=False):
        pass
    with pytest.raises(UsageError, match=r"holds a training of another kind \(.*; choose another `out`$"):
        TrainingFolder(tmp_path).claim(training(), resume=True).__enter__()


def test_a_bucket_is_no_folder_of_this_machine():
    assert local_folder("runs/a") == Path("runs/a")
    with pytest.raises(UsageError, match="s3://bucket/run is a bucket"):
        local_folder("s3://bucket/run")
