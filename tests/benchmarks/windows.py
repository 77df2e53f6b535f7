"""What DeepPicker and DeepEM cost against asking their networks about one window after the other.

The loop is what the papers describe: cut a window, z-score it, ask the network, in a batch of one; a sample
of windows is timed and scaled. A network's arithmetic limit is what all windows' layers add up to, as stated
in the papers, over the rate of a convolution that fits a core's cache, measured in between. Weights are
random: they decide picks, not time.
"""

import json
import os
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Annotated, Any

os.environ["OMP_NUM_THREADS"] = "1"  # before NumPy

import numpy as np
import torch
import typer
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from cryopick_ray.engine.memory import keep_freed_memory
from cryopick_ray.pickers.families import build_network, make_picker
from cryopick_ray.pickers.patches import Windows, z_scored
from cryopick_ray.pickers.scoring import EXACT, Precision, Scoring
from cryopick_ray.pickers.weights import ModelCard, weights_digest
from cryopick_ray.simulate.phantom import make_phantom

NETWORKS: dict[str, tuple[dict[str, int], float]] = {
    "deeppicker": ({"hidden": 256}, 64 / 1.5),
    "deepem": ({"box_px": 48, "relu": 0}, 48 / 1.5),
}
"""Parameters, and pixels that a particle's diameter becomes."""
TURNS = {"deeppicker": 1, "deepem": 4}
"""Orientations in which a window is looked at."""
PARTICLES_ACROSS = 38
"""Diameters to a micrograph's side, as in beta-galactosidase."""
SAMPLE = 200
PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16")
MODES = {"exact": EXACT} | {f"fast {one}": Scoring(exact=False, precision=one) for one in PRECISIONS}


def picker_of(name: str, scoring: Scoring) -> Any:
    """Return a picker with random weights, the same each time."""
    parameters, particle_px = NETWORKS[name]
    card = ModelCard(
        name=name,
        architecture=name,
        parameters=parameters,
        particle_px=particle_px,
        normalisation="z-score",
        trained_on="nothing",
        licence="CC0-1.0",
        source="a benchmark",
        digest=64 * "0",
    )
    torch.manual_seed(0)
    network = build_network(card)
    card = card.model_copy(update={"digest": weights_digest(network.state_dict())})
    return make_picker(network, card, scoring=scoring)


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return what a call takes."""
    start = time.process_time()
    with torch.inference_mode():
        work()
    return time.process_time() - start


def loop_seconds(network: nn.Module, windows: Windows, turns: int, rng: np.random.Generator) -> float:
    """Return what all windows would take one by one."""
    every = windows.all()[0]
    rows, columns = (rng.integers(0, side, SAMPLE) for side in every.shape[:2])

    def ask() -> None:
        for row, column in zip(rows, columns, strict=True):
            window = z_scored(every[row, column])[None, None]
            for turn in range(turns):
                network(torch.rot90(window, turn, (-2, -1)))

    return cpu_seconds(ask) / SAMPLE * every.shape[0] * every.shape[1]


def convolution_flops_per_s() -> float:
    """Return the rate of a float32 convolution that fits a core's cache."""
    layer = nn.Conv2d(32, 32, 3).to(memory_format=torch.channels_last)
    x = torch.randn(4, 32, 66, 66).to(memory_format=torch.channels_last)
    return flops_of(layer, x) / min(cpu_seconds(lambda: layer(x)) for _ in range(20))


def flops_of(network: nn.Module, x: Tensor) -> int:
    """Return the multiplications and additions of a network's answer."""
    with FlopCounterMode(display=False) as counter:
        network(x)
    return int(counter.get_total_flops())


def measure(name: str, rounds: int, rng: np.random.Generator) -> dict[str, Any]:
    """Return medians over the rounds, in which everything takes turns."""
    particle_px = NETWORKS[name][1]
    side = round(PARTICLES_ACROSS * particle_px)
    image = make_phantom(
        0, shape=(side, side), pixel_size_A=1.0, diameter_A=particle_px, particles=200
    ).pixels
    pickers = {mode: picker_of(name, scoring) for mode, scoring in MODES.items()}
    exact = pickers["exact"]
    windows = exact.windows(torch.from_numpy(image)[None])
    count = int(np.prod(windows.shape))
    seconds: dict[str, list[float]] = {key: [] for key in ("loop", "limit", *pickers)}
    flops = count * TURNS[name] * flops_of(exact.network, torch.zeros(1, 1, *2 * [windows.size_px]))
    for _ in range(rounds):
        seconds["loop"].append(loop_seconds(exact.network, windows, TURNS[name], rng))
        seconds["limit"].append(flops / convolution_flops_per_s())
        for mode, picker in pickers.items():
            seconds[mode].append(cpu_seconds(lambda picker=picker: picker.pick(image)))
    return {
        "network": name,
        "side_px": side,
        "windows": count,
        "flops": flops,
        "cpu_seconds": {key: statistics.median(took) for key, took in seconds.items()},
    }


def to_markdown(outcomes: Sequence[dict[str, Any]]) -> str:
    """Return the table."""
    lines = [
        "| network | pixels | windows | GFLOP | mode | CPU s | loop / mode | arithmetic limit / mode |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for outcome in outcomes:
        seconds = outcome["cpu_seconds"]
        what = f"{outcome['network']} | {outcome['side_px']}^2 | {outcome['windows']} | "
        what += f"{outcome['flops'] / 1e9:.0f}"
        for mode in ("loop", *MODES):
            took = seconds[mode]
            ratios = f"{seconds['loop'] / took:.0f} | {100 * seconds['limit'] / took:.0f}%"
            lines.append(f"| {what} | {mode} | {took:.2f} | {ratios} |")
    return "\n".join(lines)


def main(
    rounds: Annotated[int, typer.Option(help="Times that each is timed.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Time both networks on one CPU thread."""
    torch.set_num_threads(1)
    keep_freed_memory()  # as a pick worker does
    rng = np.random.default_rng(0)
    outcomes = [measure(name, rounds, rng) for name in NETWORKS]
    typer.echo(json.dumps(outcomes, indent=1) if as_json else to_markdown(outcomes))


if __name__ == "__main__":
    typer.run(main)
