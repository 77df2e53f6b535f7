"""What a GPU makes of every network's picker: a table, as Markdown. One command, on a machine with a GPU.

Micrographs a second are end to end from a store on this machine to shards of picks, in units as a large run
cuts them; the store holds phantoms at the scale of picking, as ``cryopick ingest`` leaves 4096 x 4096 pixels:
512 x 512, and 1024 x 1024 for crYOLO. Weights are Topaz's, or random: they decide picks, not time. Topaz
itself picks in the same images, which it gets preprocessed. What the network reaches alone is measured on
one batch in its memory: of a convolution's speed, measured here, and of the memory's bandwidth, counting
what each operation reads and writes. Last, the same images go through GPU and CPU, and the candidates are
compared.
"""

import json
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

os.environ["OMP_NUM_THREADS"] = "1"  # before NumPy; Topaz and we have one CPU thread each

import torch
import typer
from gpu_models import DIGEST, SHIPPED, TOPAZ_RADIUS_PX, Model, Stored, fill_store, models_in
from other_pickers import ON_CPU, ON_GPU, extract
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from cryopick_ray.bench.machine import Machine
from cryopick_ray.bench.passes import network_pick
from cryopick_ray.bench.stopwatch import Stopwatch
from cryopick_ray.engine.unit_rules import UNIT_MAX, cut
from cryopick_ray.pickers.picker import Candidates
from cryopick_ray.picks.matching import FREE, match
from cryopick_ray.stages.pick_worker import PickWorker

NEAR_PX, AGREE = 0.5, 0.999
COMPARED, REPEATS = 4, 3


@dataclass(frozen=True)
class Network:
    """What a network reaches alone, and the peaks' search beside it; seconds are a micrograph's."""

    batch: int
    seconds: float
    peaks_seconds: float
    flops_per_s: float
    share_of_convolution: float
    share_of_bandwidth: float


@dataclass(frozen=True)
class Line:
    """One picker.

    Attributes
    ----------
    per_s
        Micrographs a second, by repeat.
    topaz_per_s
        Of Topaz's own code.
    peak_device_MiB
        What tensors took on the GPU.
    agreement
        Share of candidates that GPU and CPU have in common, by precision; ``None`` without candidates.
    """

    name: str
    side_px: int
    precision: str
    per_s: list[float]
    topaz_per_s: float | None
    network: Network
    peak_device_MiB: float | None
    candidates: float
    agreement: dict[str, float | None]


class Traffic(TorchDispatchMode):
    """Counts the bytes that operations read and write, each by itself; views move none."""

    total = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        answer = func(*args, **(kwargs or {}))
        read, written = (
            [x for x in tree_leaves(some) if isinstance(x, Tensor)] for some in ((args, kwargs), answer)
        )
        places = {x.untyped_storage().data_ptr() for x in read}
        is_view = all(x.untyped_storage().data_ptr() in places for x in written)
        if func._schema.is_mutable or not is_view:
            self.total += sum(x.nbytes for x in (*read, *written))
        return answer


def time_worker(model: Model, stored: Stored, machine: Machine, unit: int, folder: Path) -> list[float]:
    """Return micrographs a second from the store to the shards, by repeat."""
    picks = str(folder / model.name)
    worker = PickWorker(stored.url, picks, DIGEST, model.settings, machine.device.type)
    units = cut(stored.rows, unit)
    for warm_up in units[:2]:  # the first finds out how many fit
        worker.process(warm_up.items)
    per_s = []
    for repeat in range(REPEATS):
        turn = repeat + 1  # other units each time: what was published once is not written again
        rows = stored.rows[turn:] + stored.rows[:turn]
        start = time.perf_counter()
        for one in cut(rows, unit):
            report = worker.process(one.items)
            assert not report.failures, report.failures
        machine.wait()
        per_s.append(len(rows) / (time.perf_counter() - start))
    return per_s


def time_network(model: Model, stored: Stored, machine: Machine) -> Network:
    """Return what the network reaches on a batch in its memory, halved until it fits."""
    picker = model.load(machine.device.type)
    batch = min(picker.batch if machine.on_gpu else 1, len(stored.rows))
    while True:
        try:
            images = stored.images(batch, machine.device)
            network_pick(Stopwatch(), picker, images)
            break
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
            batch //= 2
    flops, traffic = FlopCounterMode(display=False), Traffic()
    counts = []
    for counter, total in ((flops, flops.get_total_flops), (traffic, lambda: traffic.total)):
        counted = Stopwatch(flops=total)  # charges any count to the part that is running
        with counter:
            network_pick(counted, picker, images)
        counts.append(counted.parts["network"].flops)
    passes = []
    for _ in range(REPEATS):
        watch = Stopwatch(wait=machine.wait)
        network_pick(watch, picker, images)
        passes.append(watch.parts)
    seconds = min(parts["network"].busy_seconds for parts in passes)
    limits = machine.limits(picker.scoring.precision)
    flops_per_s, bytes_per_s = (amount / seconds for amount in counts)
    return Network(
        batch,
        seconds / batch,
        min(parts["peaks"].busy_seconds for parts in passes) / batch if "peaks" in passes[0] else 0.0,
        flops_per_s,
        flops_per_s / limits.flops_per_s,
        bytes_per_s / limits.bytes_per_s["device" if machine.on_gpu else "memory"],
    )


def time_topaz(topaz: str, model: str, stored: Stored, *, on_gpu: bool) -> float:
    """Return the images a second of Topaz's own code; its start-up is taken out."""
    with tempfile.TemporaryDirectory() as scratch:
        few, whole = (
            extract(
                topaz,
                files,
                Path(scratch) / "picks.txt",
                model=model,
                radius_px=TOPAZ_RADIUS_PX,
                device=ON_GPU if on_gpu else ON_CPU,
            ).wall_s
            for files in (stored.files[:1], stored.files)
        )
    return (len(stored.files) - 1) / (whole - few)


def compare(model: Model, stored: Stored, device: torch.device) -> tuple[float, dict[str, float | None]]:
    """Return candidates a micrograph, and the share that CPU and ``device`` agree on by precision."""
    images = [image.numpy() for image in stored.images(COMPARED, torch.device("cpu"))]
    found: dict[str, list[list[Candidates]]] = {}
    for precision in ("float32", "bfloat16"):
        pickers = [model.load(name, precision) for name in ("cpu", device.type)]
        found[precision] = [[picker.pick(image) for image in images] for picker in pickers]
    here, _ = found["float32"]
    return statistics.mean(map(len, here)), {name: agreement(*both) for name, both in found.items()}


def agreement(here: Sequence[Candidates], there: Sequence[Candidates]) -> float | None:
    """Return the share of candidates with a partner no further than ``NEAR_PX``."""
    common = sum(
        int((match(a.x, a.y, a.score, b.x, b.y, NEAR_PX) != FREE).sum())
        for a, b in zip(here, there, strict=True)
    )
    most = max(sum(map(len, here)), sum(map(len, there)))
    return common / most if most else None


def measure(
    model: Model, stored: Stored, machine: Machine, *, unit: int, topaz: str | None, folder: Path
) -> Line:
    """Return all of one picker."""
    typer.echo(f"{model.name}: {len(stored.rows)} of {model.side_px} x {model.side_px}", err=True)
    torch.cuda.empty_cache()  # what the network before left; does nothing without a GPU
    machine.forget_peaks()
    per_s = time_worker(model, stored, machine, unit, folder)
    peak = machine.peak_device_memory_bytes()
    candidates, shares = compare(model, stored, machine.device)
    beside = topaz if model.name in SHIPPED else None
    return Line(
        model.name,
        model.side_px,
        model.load(machine.device.type).scoring.precision,
        per_s,
        time_topaz(beside, model.name, stored, on_gpu=machine.on_gpu) if beside else None,
        time_network(model, stored, machine),
        None if peak is None else peak / 2**20,
        candidates,
        shares,
    )


def to_markdown(lines: Sequence[Line]) -> str:
    """Return the table; a ratio above 1 is how many times Topaz's micrographs a second we pick."""
    text = [
        "| network | pixels | micrographs/s (least-most) | / Topaz's | batch | network ms | peaks ms "
        "| TFLOP/s | of a convolution's | of the bandwidth | GPU MiB | candidates | as on the CPU in float32 "
        "| in bfloat16 |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for line in lines:
        median_per_s, network = statistics.median(line.per_s), line.network
        cells = (
            f"{line.name}, {line.precision}",
            line.side_px,
            f"{median_per_s:.1f} ({min(line.per_s):.1f}-{max(line.per_s):.1f})",
            f"{median_per_s / line.topaz_per_s:.1f}" if line.topaz_per_s else "-",
            network.batch,
            f"{1e3 * network.seconds:.2f}",
            f"{1e3 * network.peaks_seconds:.2f}",
            f"{network.flops_per_s / 1e12:.2f}",
            f"{network.share_of_convolution:.0%}",
            f"{network.share_of_bandwidth:.0%}",
            "-" if line.peak_device_MiB is None else f"{line.peak_device_MiB:.0f}",
            f"{line.candidates:.0f}",
            *("-" if share is None else f"{share:.2%}" for share in line.agreement.values()),
        )
        text.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(text)


def limits_of(machine: Machine) -> dict[str, Any]:
    """Return what was measured of the device itself."""
    return {"device": machine.name, "torch": torch.__version__, **asdict(machine.limits("bfloat16"))}


def main(
    weights: Annotated[Path, typer.Option(help="Folder of Topaz's .sav files.")],
    topaz: Annotated[str | None, typer.Option(help="Topaz's program, to run beside ours.")] = None,
    device: Annotated[str, typer.Option(help="cuda, or cpu to try the script out.")] = "cuda",
    count: Annotated[int, typer.Option("--micrographs", help="In the store, at least 2.", min=2)] = 512,
    unit: Annotated[int, typer.Option(help="Micrographs in a unit.", min=1)] = UNIT_MAX,
    network: Annotated[list[str] | None, typer.Option(help="Only these.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A few tiny ones, to try the script out.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the lines as JSON.")] = False,
) -> None:
    """Measure every network's picker and print the table; status 1 if GPU and CPU disagree in float32."""
    if device == "cuda" and not torch.cuda.is_available():
        typer.echo(
            "no GPU here: run this where torch sees one, or try it out with --device cpu --quick", err=True
        )
        raise typer.Exit(2)
    torch.set_num_threads(1)
    machine, many = Machine(torch.device(device)), COMPARED if quick else count
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        models = [
            one
            for one in models_in(weights, folder, shrink=4 if quick else 1)
            if not network or one.name in network
        ]
        sides = {model.side_px for model in models}
        stores = {side_px: fill_store(folder / str(side_px), side_px, many) for side_px in sides}
        lines = [
            measure(model, stores[model.side_px], machine, unit=unit, topaz=topaz, folder=folder)
            for model in models
        ]
    limits = limits_of(machine)
    if as_json:
        typer.echo(json.dumps({"limits": limits, "lines": [asdict(line) for line in lines]}, indent=1))
    else:
        typer.echo(f"{to_markdown(lines)}\n\n{limits}")
    shares = [share for line in lines if (share := line.agreement["float32"]) is not None]
    if min(shares, default=1.0) < AGREE:
        typer.echo(
            f"GPU and CPU agree on {min(shares):.2%} of the candidates; expected {AGREE:.1%}", err=True
        )
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
