"""Training by several workers at once: the same loop under Ray Train.

The folder's own checkpoint is the only one: the loop without Ray goes on from it too, it survives a
moved folder, and nothing must decide which of two copies is newer. So Ray is told of no checkpoints.
"""

import os
import shutil
from concurrent.futures import Future, wait
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any

import ray
import ray.train.torch
import torch
from ray.exceptions import RayError
from torch import distributed, nn

from cryopick_ray.engine.process import set_up_process
from cryopick_ray.engine.ray_private import private_folder
from cryopick_ray.errors import CryoPickError, EngineError, TrainingError
from cryopick_ray.training.loop.checkpoint import load_checkpoint
from cryopick_ray.training.loop.job import TrainingJob
from cryopick_ray.training.loop.loop import Listener, TrainState, is_over
from cryopick_ray.training.loop.loss_log import read_log
from cryopick_ray.training.loop.ray_meeting import LoopbackConfig, OwnErrorsEnd
from cryopick_ray.training.loop.single_worker import CheckpointWriter
from cryopick_ray.training.loop.steps import STEPS, StepsFile, read_steps

train: Any = ray.train  # its type hints are those of its first version

MAX_FAILURES = 5
"""Times that the workers are started again after one died."""
MAX_STARTS = 3
"""Tries, of a minute each, to find room for the workers."""
FOLLOW_SECONDS = 0.2
"""How often the driver looks for new epochs."""
RESIZE_SECONDS = 60.0
"""How often Ray looks whether there is room for more workers; a change costs the epoch under way."""
RAY_FOLDER = ".ray"
"""Where Ray tries whether all nodes see the training's folder; gone at the end."""
ENVIRONMENT = {
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",  # an end or a death is noticed within it; default 2
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # a store's relative path stays right
    "RAY_TRAIN_METRICS_ENABLED": "0",  # for a dashboard
}
ALONE = {"RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0"}
"""On a private Ray, whose only node nobody takes back: one process less."""
UNUSED = {"DatasetsCallback", "PlacementGroupCleanerCallback"}
"""Parts of Ray Train that are left out: Ray Data has a process of its own, and nothing here reads by it; the
other asks the dashboard whether the run still lives, and without one its end waits 12 s. It would free the
workers' place if the controller died; Ray does so when the program ends.
"""


class RayWorkerGroup:
    """The group of workers that Ray Train started, seen from one of them."""

    def __init__(self) -> None:
        context = train.get_context()
        self.rank, self.size = context.get_world_rank(), context.get_world_size()
        self.device: torch.device = train.torch.get_device()

    def wrap(self, network: nn.Module) -> nn.Module:
        """Return the network in DistributedDataParallel; a single worker's as it is."""
        model: nn.Module = train.torch.prepare_model(network)
        return model

    def mean(self, value: float) -> float:
        """Return the mean of the values of all workers."""
        total = torch.tensor(value, dtype=torch.float64, device=self.device)
        distributed.all_reduce(total)
        return float(total.item() / self.size)

    def agree(self, state: TrainState | None) -> TrainState | None:
        """Return the first worker's state: all go on from the same epoch."""
        shared = [state]
        distributed.broadcast_object_list(shared, device=self.device)
        return shared[0]


class _NoRecorder:
    """Records nothing: the first worker of the group writes the checkpoints."""

    def epoch(self, state: TrainState) -> None:
        """Do nothing."""

    def steps(self, epoch: int, done: int, total: int) -> None:
        """Do nothing."""


class _Trainer(train.torch.TorchTrainer):  # type: ignore[misc]
    """Ray's trainer, with what it needs here."""

    def _create_default_callbacks(self) -> list[Any]:
        """Leave out what is not used."""
        callbacks: list[Any] = super()._create_default_callbacks()
        return [callback for callback in callbacks if type(callback).__name__ not in UNUSED]


def train_on_ray(
    job: TrainingJob,
    folder: Path,
    *,
    workers: tuple[int, int],
    threads: int,
    device: str,
    listener: Listener,
) -> TrainState:
    """Train to the end on the Ray that runs, from the checkpoint in ``folder`` if there is one.

    Parameters
    ----------
    folder
        As for :func:`~cryopick_ray.training.loop.single_worker.train_here`; every node must see it.
    workers
        Least and most: as many of them work as there is room for.
    threads
        CPUs of each worker.
    device
        ``cpu``; ``cuda`` for a GPU of each worker; ``auto`` for that if the cluster has any.
    listener
        Gets every new epoch soon after its end, and its batches about once a second.

    Raises
    ------
    TrainingError
        If training cannot start, diverges, or workers die again and again.
    EngineError
        If Ray has no room for the workers, or cannot start them.
    CryoPickError
        Any other that a worker meets, as it is.
    """
    folder = folder.absolute()
    if workers[1] > job.settings.batch:
        raise TrainingError(
            f"a batch of {job.settings.batch} cannot be shared by {workers[1]} workers;"
            " give a larger batch or fewer workers"
        )
    state = job.begin(folder)
    done = len(state.history) if state else 0
    if state is None or not is_over(state.history, job.settings, early=job.recipe.validation_chooses):
        on_gpu = device == "cuda" or (device == "auto" and ray.cluster_resources().get("GPU", 0) > 0)
        check_room(workers, threads, on_gpu=on_gpu)
        (folder / RAY_FOLDER / STEPS).unlink(missing_ok=True)  # of one that was killed
        trainer = _trainer(job, folder, workers, threads, on_gpu=on_gpu)
        try:
            _follow(_start(trainer), folder, done, listener)
        finally:
            shutil.rmtree(folder / RAY_FOLDER, ignore_errors=True)
        state = load_checkpoint(folder)
    if state is None:
        raise TrainingError(f"{folder} lost its checkpoint while training ended; train again")
    return state


def check_room(workers: tuple[int, int], threads: int, *, on_gpu: bool) -> None:
    """Refuse more workers than Ray has room for: it would wait for them in silence.

    Raises
    ------
    EngineError
        Naming ``workers``, ``threads`` and what there is.
    """
    least, _ = workers
    if _room(threads, on_gpu=on_gpu) < least:
        there = ray.cluster_resources()
        wanted = f"{threads} CPUs{' and a GPU' if on_gpu else ''}"
        raise EngineError(
            f"no room for {least} workers (`workers`) with {wanted} each (`threads`): Ray has "
            f"{there.get('CPU', 0):g} CPUs and {there.get('GPU', 0):g} GPUs; give fewer"
        )


def most_threads(workers: int, *, on_gpu: bool) -> int:
    """Return the most threads a worker can have so that all ``workers`` fit; at least 1."""
    most = max((int(node.get("CPU", 0)) for node in _nodes()), default=1)
    return next((n for n in range(most, 1, -1) if _room(n, on_gpu=on_gpu) >= workers), 1)


def _nodes() -> list[dict[str, float]]:
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def _room(threads: int, *, on_gpu: bool) -> int:
    """Return how many workers fit on all nodes; a worker runs on one node."""
    return sum(
        min([int(node.get("CPU", 0) // threads)] + [int(node.get("GPU", 0))] * on_gpu) for node in _nodes()
    )


def _trainer(
    job: TrainingJob, folder: Path, workers: tuple[int, int], threads: int, *, on_gpu: bool
) -> _Trainer:
    least, most = workers
    private = private_folder()
    for name, value in {**ENVIRONMENT, **(ALONE if private else {})}.items():
        os.environ.setdefault(name, value)
    return _Trainer(
        partial(_work, job, folder, threads),  # of which the controller, unlike of a config, imports nothing
        torch_config=LoopbackConfig(folder=str(private)) if private else None,
        scaling_config=train.ScalingConfig(
            num_workers=most if least == most else workers,
            use_gpu=on_gpu,
            resources_per_worker={"CPU": threads, **({"GPU": 1} if on_gpu else {})},
            elastic_resize_monitor_interval_s=RESIZE_SECONDS,
        ),
        run_config=train.RunConfig(
            name=RAY_FOLDER,
            storage_path=str(folder),
            failure_config=train.FailureConfig(
                max_failures=MAX_FAILURES, controller_failure_limit=MAX_STARTS
            ),
            callbacks=[OwnErrorsEnd()],
            logging_config=train.LoggingConfig(log_level="ERROR"),
        ),
    )


def _work(job: TrainingJob, folder: Path, threads: int) -> None:
    """Run the training loop on one worker of the group."""
    set_up_process(threads)
    group = RayWorkerGroup()
    first = group.rank == 0
    start = group.agree(load_checkpoint(folder) if first else None)
    job.loop(group, start).run(
        CheckpointWriter(folder, StepsFile(folder / RAY_FOLDER)) if first else _NoRecorder()
    )


def _start(trainer: _Trainer) -> "Future[Any]":
    """Run a training in a thread of its own, where Ray leaves the program's Ctrl-C alone."""
    future: Future[Any] = Future()

    def fit() -> None:
        try:
            future.set_result(trainer.fit())
        except BaseException as error:  # noqa: BLE001 - raised again where the result is taken
            future.set_exception(error)

    Thread(target=fit, daemon=True).start()
    return future


def _follow(fit: "Future[Any]", folder: Path, done: int, listener: Listener) -> None:
    """Report every epoch of the log after the first ``done`` to the listener, until training ends."""
    running, reported = True, None
    while running:
        running = bool(wait([fit], timeout=FOLLOW_SECONDS).not_done)
        for epoch in read_log(folder)[done:]:
            listener.epoch(epoch)
            done += 1
        steps = read_steps(folder / RAY_FOLDER)
        if steps and steps != reported and steps[0] > done:  # an epoch that is in the log is over
            listener.steps(*steps)
        reported = steps
    try:
        fit.result()
    except (train.TrainingFailedError, RayError) as error:
        raise _readable(error, folder) from error


def _readable(error: Exception, folder: Path) -> CryoPickError:
    """Return the workers' own error without Ray's wrapping, or their failure in one line."""
    if isinstance(error, train.ControllerError):
        cause = error.controller_failure
        if isinstance(cause, CryoPickError):
            return cause
        return EngineError(f"Ray cannot train: {_last_line(cause)}; give fewer workers or threads")
    return TrainingError(
        f"workers keep dying; the last one: {_last_line(error)};"
        f" train again to go on from the last epoch in {folder}"
    )


def _last_line(error: Exception) -> str:
    return str(error).strip().rpartition("\n")[2] or type(error).__name__
