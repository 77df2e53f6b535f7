"""Figures of what ``speed.py`` and ``cryopick bench`` measured, as PNG files.

``python tests/benchmarks/speed.py ... --accuracy --json speed.json`` gives CPU time against AUPRC;
``cryopick bench ... --sizes 1024,2048,4096,8192 --batches 1,2,4,8,16 --json > bench.json`` gives the cost of
a micrograph against its size and against the batch. matplotlib is needed, which the package itself is not in
need of: ``pip install 'cryopick-ray[bench]'``.
"""

import json
import statistics
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise, product
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

try:
    import matplotlib as mpl
    from matplotlib import pyplot as plt
    from matplotlib import ticker
    from matplotlib.transforms import Bbox
except ModuleNotFoundError as error:
    raise SystemExit(f"{error.name} is missing: pip install 'cryopick-ray[bench]'") from error

TOPAZ = "Topaz itself"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Of Okabe and Ito: told apart by all eyes."""
STYLE = {
    "figure.dpi": 150,
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "legend.frameon": False,
    "axes.grid": True,
    "grid.color": "0.92",
    "axes.axisbelow": True,
}
DIRECTIONS = ((0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1))
DISTANCES_PT = (5, 9, 14, 20, 27, 36, 46)
LEADER_FROM_PT = 14
OBSTACLE_PX, LABEL_PAD_PX, LINE_SAMPLES = 4, 4, 25
MIN_AUPRC_SPAN = 0.1
"""Differences smaller than matter shall look small."""
Curves = dict[str, tuple[list[float], list[float]]]


def draw_scores(rows: Sequence[dict[str, Any]]) -> Any:
    """Return CPU time against AUPRC, a panel for each real set, a labelled point for each way of asking."""
    scored = [row for row in rows if row["auprc"] is not None and row["rounds"]]
    sets = list(dict.fromkeys(row["set"] for row in scored))
    colours = _colours(row["model"] for row in scored)
    figure, panels = plt.subplots(
        1, len(sets), figsize=(4.2 * len(sets), 3.6), squeeze=False, layout="constrained"
    )
    for axes, name in zip(panels[0], sets, strict=True):
        points = _points([row for row in scored if row["set"] == name])
        axes.set(title=name, xlabel="CPU seconds a micrograph, one thread", ylabel="AUPRC", xscale="log")
        for model, own in points.items():
            ours = [(x, y) for mode, x, y in own if mode != TOPAZ]
            axes.plot(*zip(*ours, strict=True), color=colours[model], lw=0.8) if ours else None
            for mode, x, y in own:
                face = "white" if mode == TOPAZ else colours[model]
                axes.plot(x, y, "s" if mode == TOPAZ else "o", ms=5, mec=colours[model], mfc=face)
        _widen(axes, [one for own in points.values() for one in own])
    handles = [
        plt.Line2D([], [], marker="o", ls="", color=colour, label=name) for name, colour in colours.items()
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    figure.canvas.draw()  # settles the layout, which labels are placed in
    figure.set_layout_engine("none")
    for axes, name in zip(panels[0], sets, strict=True):
        _label_points(axes, _points([row for row in scored if row["set"] == name]), colours)
    return figure


def _points(rows: Sequence[dict[str, Any]]) -> dict[str, list[tuple[str, float, float]]]:
    """Return mode, CPU seconds and AUPRC of each point by network; what was measured twice counts once."""
    seconds: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    auprc = {}
    for row in rows:
        key = row["model"], row["mode"]
        seconds[key] += [one["cpu_s"] for one in row["rounds"]]
        auprc[key] = row["auprc"]
    points: defaultdict[str, list[tuple[str, float, float]]] = defaultdict(list)
    for (model, mode), spent in seconds.items():
        points[model].append((mode, statistics.median(spent), auprc[model, mode]))
    return points


def _widen(axes: Any, points: Sequence[tuple[str, float, float]]) -> None:
    """Leave room for labels."""
    x, y = ([point[axis] for point in points] for axis in (1, 2))
    span = max(1.3 * (max(y) - min(y)), MIN_AUPRC_SPAN)
    top = min((min(y) + max(y) + span) / 2, 1.0)
    axes.set(xlim=(min(x) / 2, max(x) * 2), ylim=(top - span, top))
    _log_ticks(axes.xaxis)


def _log_ticks(axis: Any) -> None:
    axis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_locator(ticker.NullLocator())


def _label_points(
    axes: Any, points: dict[str, list[tuple[str, float, float]]], colours: dict[str, str]
) -> None:
    """Write each point's mode beside it, where neither another label nor a point nor a line is."""
    taken = [box for own in points.values() for box in _obstacles(axes, own)]
    for model, own in points.items():
        for mode, x, y in own:
            taken.append(_label(axes, mode, (x, y), colours[model], taken))


def _obstacles(axes: Any, own: Sequence[tuple[str, float, float]]) -> Iterator[Bbox]:
    places = [axes.transData.transform(point[1:]) for point in own]
    ours = [place for place, point in zip(places, own, strict=True) if point[0] != TOPAZ]
    for start, end in pairwise(ours):
        places += list(np.linspace(start, end, LINE_SAMPLES))
    for x, y in places:
        yield Bbox([(x - OBSTACLE_PX, y - OBSTACLE_PX), (x + OBSTACLE_PX, y + OBSTACLE_PX)])


def _label(axes: Any, text: str, place: tuple[float, float], colour: str, taken: Sequence[Bbox]) -> Bbox:
    """Write a label at the nearest free place, with a line to its point if that is far."""
    frame = axes.get_window_extent()
    for distance_pt, (right, up) in product(DISTANCES_PT, DIRECTIONS):
        label = axes.annotate(
            text,
            place,
            (distance_pt * right, distance_pt * up),
            textcoords="offset points",
            ha=("right", "center", "left")[right + 1],
            va=("top", "center", "bottom")[up + 1],
            color=colour,
            arrowprops={"arrowstyle": "-", "lw": 0.4, "color": colour}
            if distance_pt >= LEADER_FROM_PT
            else None,
        )
        label.update_positions(axes.figure.canvas.get_renderer())
        box = mpl.text.Text.get_window_extent(label)  # without the line
        inside = frame.x0 < box.x0 and box.x1 < frame.x1 and frame.y0 < box.y0 and box.y1 < frame.y1
        if inside and not any(box.overlaps(other) for other in taken):
            break
        if distance_pt < DISTANCES_PT[-1] or (right, up) != DIRECTIONS[-1]:
            label.remove()
    return box.padded(LABEL_PAD_PX)


def draw_sizes(benches: Sequence[dict[str, Any]]) -> Any:
    """Return the cost of a micrograph, file to picks, against its size, a curve for each picker."""
    curves: Curves = defaultdict(lambda: ([], []))
    for one in (size for bench in benches for size in bench["sizes"]):
        curves[one["name"]][0].append(one["size"])
        curves[one["name"]][1].append(1e3 * sum(one[stage][_cost(benches)] for stage in ("ingest", "pick")))
    return _draw(curves, "side of the micrograph in pixels", f"ingest and pick, {_unit(benches)}")


def draw_batches(benches: Sequence[dict[str, Any]]) -> Any:
    """Return what a picker takes for a micrograph against how many it is given at once."""
    curves: Curves = {
        model["name"]: (
            [one["batch"] for one in model["batches"]],
            [1e3 * one[_cost(benches)] for one in model["batches"]],
        )
        for bench in benches
        for model in bench["models"]
        if model["batches"]
    }
    return _draw(curves, "micrographs at once", f"pick, {_unit(benches)}")


def _on_cpu(benches: Sequence[dict[str, Any]]) -> bool:
    return all(model["device"] == "cpu" for bench in benches for model in bench["models"])


def _cost(benches: Sequence[dict[str, Any]]) -> str:
    return "cpu_seconds" if _on_cpu(benches) else "seconds"


def _unit(benches: Sequence[dict[str, Any]]) -> str:
    return f"ms {'of CPU time ' if _on_cpu(benches) else ''}a micrograph"


def _draw(curves: Curves, x_label: str, y_label: str) -> Any:
    """Return a figure of curves, each named at its end."""
    figure, axes = plt.subplots(figsize=(5.2, 3.6))
    figure.subplots_adjust(left=0.13, right=0.72, top=0.95, bottom=0.13)
    colours = _colours(curves)
    for name, (x, y) in curves.items():
        axes.plot(x, y, "o-", ms=4, lw=1.2, color=colours[name])
    ticks = sorted({x for xs, _ in curves.values() for x in xs})
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    _log_ticks(axes.yaxis)
    axes.set(xlabel=x_label, ylabel=y_label)
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    figure.canvas.draw()
    lowest = -np.inf
    for name, (x, y) in sorted(curves.items(), key=lambda item: item[1][1][-1]):
        end = axes.transData.transform((x[-1], y[-1]))
        label = axes.annotate(
            name,
            (x[-1], y[-1]),
            (axes.get_window_extent().x1 + 8, max(end[1], lowest)),
            textcoords="figure pixels",
            va="center",
            color=colours[name],
            annotation_clip=False,
        )
        box = label.get_window_extent()
        lowest = max(end[1], lowest) + 1.1 * box.height
    return figure


def _colours(names: Any) -> dict[str, str]:
    return {name: COLOURS[number % len(COLOURS)] for number, name in enumerate(dict.fromkeys(names))}


def main(
    out: Annotated[Path, typer.Option(help="Folder for the figures.")],
    speed: Annotated[Path | None, typer.Option(help="JSON of speed.py --accuracy.")] = None,
    bench: Annotated[
        list[Path] | None, typer.Option(help="JSON of cryopick bench --sizes --batches; repeatable.")
    ] = None,
) -> None:
    """Draw what there is."""
    out.mkdir(parents=True, exist_ok=True)
    benches = [json.loads(path.read_text()) for path in bench or []]
    rows = json.loads(speed.read_text())["rows"] if speed else []
    with mpl.rc_context(STYLE):
        figures = {
            "time_against_auprc": draw_scores(rows)
            if any(row["auprc"] and row["rounds"] for row in rows)
            else None,
            "cost_against_size": draw_sizes(benches) if any(bench["sizes"] for bench in benches) else None,
            "cost_against_batch": draw_batches(benches)
            if any(model["batches"] for bench in benches for model in bench["models"])
            else None,
        }
        for name, figure in figures.items():
            if figure is not None:
                figure.savefig(out / f"{name}.png", bbox_inches="tight")
                typer.echo(out / f"{name}.png")


if __name__ == "__main__":
    mpl.use("Agg")
    typer.run(main)
