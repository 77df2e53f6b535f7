"""A worker that keeps a diary on disk, since it may die, and does to itself what an item's name says."""

import os
import signal
import sys
import time
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import ray.cloudpickle

from cryopick_ray.engine.unit import UnitReport, never_leave, until_leaving
from cryopick_ray.engine.unit_rules import split_units
from cryopick_ray.errors import DeviceError, NodeError, StoreError

ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import a test module


@dataclass(frozen=True)
class Item:
    micrograph_id: str


class DiaryWorker:
    """Writes down each item: ``tried``, then ``NAME.done`` for a whole unit."""

    def __init__(self, diary: Path, seconds: float = 0.0) -> None:
        self.diary = diary
        self.seconds = seconds
        bad = diary / "bad node"
        if bad.exists() and bad.read_text() == ray.get_runtime_context().get_node_id():
            raise NodeError("the folder is not there on this node")

    def process(self, items, leaving=never_leave):
        if all(self._done(item).exists() for item in items):
            return UnitReport(len(items))
        begun = []
        for item in until_leaving(leaving, items):
            self._do(item.micrograph_id)
            begun.append(item)
        for item in begun:
            self._done(item).touch()
        failed = tuple((i.micrograph_id, "bad") for i in begun if i.micrograph_id.startswith("bad"))
        return UnitReport(len(begun) - len(failed), failed, undone=tuple(range(len(begun), len(items))))

    def give_up(self, items, reason):
        return UnitReport(0, tuple((item.micrograph_id, reason) for item in items))

    def _done(self, item):
        return self.diary / f"{item.micrograph_id}.done"

    def _do(self, name):
        gpu = os.environ.get("CUDA_VISIBLE_DEVICES", "")
        node = ray.get_runtime_context().get_node_id() if ray.is_initialized() else ""
        with (self.diary / "tried").open("a") as file:
            file.write(f"{name}\t{os.getpid()}\t{gpu}\t{node}\t{time.time()}\n")
        time.sleep(self.seconds)
        first = not (once := self.diary / f"{name}.once").exists()
        once.touch()
        match name.split("-")[0]:
            case "kill" if first or name.endswith("always"):
                os.kill(os.getpid(), signal.SIGKILL)
            case "late":
                self._done(Item(name)).touch()
                os.kill(os.getpid(), signal.SIGKILL)
            case "leave" if first:
                os.kill(os.getpid(), signal.SIGTERM)
            case "hang" if first:
                time.sleep(1000)
            case "device" if first or name.endswith("always"):
                raise DeviceError("the GPU fell off the bus")
            case "meet":
                (self.diary / f"here-{os.getpid()}").touch()
                while len(list(self.diary.glob("here-*"))) < int(name.split("-")[1]):
                    time.sleep(0.05)
            case "wait":
                while not (self.diary / "no more waiting").exists():
                    time.sleep(0.05)
            case "full":
                raise StoreError("the disk is full")
            case "bug":
                raise ZeroDivisionError("a bug")


def broken_worker():
    raise RuntimeError("cannot start here")


def units(names, size=1):
    return split_units([Item(name) for name in names], size)


def run(engine, diary, names, size=1, *, seconds=0.0, on_gpu=False):
    make_worker = partial(DiaryWorker, diary, seconds)
    return list(engine.run(units(names, size), make_worker, on_gpu=on_gpu))


def entries(diary):
    """Return ``(name, pid, gpu, node, time)`` of every item tried."""
    return [tuple(line.split("\t")) for line in (diary / "tried").read_text().splitlines()]


def tried(diary):
    return Counter(name for name, *_ in entries(diary))


def complete(reports):
    return sum(report.complete for report in reports)


def notes(reports):
    return [note for report in reports for note in report.notes]
