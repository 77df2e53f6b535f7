"""``cryopick bench``: where the time of one micrograph goes on this machine."""

from typing import Any

from . import options
from .bridge import Given, Offer, takes
from .console import say
from .spelling import tell


@takes(settings=Offer("cryopick_ray.bench.bench_settings:BenchSettings"))
def bench(
    settings: Given,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Time each stage of one micrograph, file to picks, beside the least this machine could take."""
    del debug
    from cryopick_ray.bench.bench import bench as measure
    from cryopick_ray.bench.bench_settings import BenchSettings
    from cryopick_ray.settings.config import fill

    outcome = measure(fill(BenchSettings, **settings), tell)
    say(outcome, _text(outcome), as_json=as_json)


def _text(outcome: dict[str, Any]) -> str:
    blocks = [block for one in outcome["models"] for block in _model_blocks(one, outcome)]
    if outcome["sizes"]:
        blocks.append(
            _table(
                ("model", "size", *COSTS),
                [(one["name"], str(one["size"]), *_costs(one)) for one in outcome["sizes"]],
            )
        )
    return "\n\n".join(blocks)


def _model_blocks(model: dict[str, Any], outcome: dict[str, Any]) -> list[str]:
    limits, threads = model["limits"], outcome["settings"]["threads"]
    bandwidths = ", ".join(f"{name} {rate / 1e9:.1f} GB/s" for name, rate in limits["bytes_per_s"].items())
    (h, w), (stored_h, stored_w), (work_h, work_w) = (
        model[f"{name}_shape"] for name in ("source", "stored", "working")
    )
    head = (
        f"{model['name']}, {model['precision']}, on {model['device']} with {threads} CPU "
        f"thread{'s' * (threads > 1)}: {h} x {w} pixels, stored as {stored_h} x {stored_w}, picked in "
        f"{work_h} x {work_w}: {model['candidates']} candidates\n"
        f"this machine: {bandwidths}, convolution {limits['flops_per_s'] / 1e9:.0f} GFLOP/s\n"
    )
    columns = ("stage", "ms", "least", "CPU ms", "MB", "GB/s", "GFLOP", "GFLOP/s", "share", "of")
    blocks = [
        head + _table(columns, [*(_stage(stage) for stage in model["stages"]), _total(model["stages"])]),
        _table(("in workers", *COSTS), [("a micrograph", *_costs(model))]),
    ]
    if model["batches"]:
        rows = [
            (
                str(one["batch"]),
                _ms(one["seconds"]),
                _ms(one["cpu_seconds"]),
                _mib(one["peak_memory_bytes"]),
                _mib(one["peak_device_memory_bytes"]),
            )
            for one in model["batches"]
        ]
        blocks.append(_table(("at once", "ms each", "CPU ms", "MiB", "GPU MiB"), rows))
    return blocks


COSTS = ("ingest ms", "CPU ms", "MiB", "pick ms", "CPU ms", "MiB", "GPU MiB")


def _costs(one: dict[str, Any]) -> list[str]:
    ingest, pick = one["ingest"], one["pick"]
    return [
        *(_ms(ingest["seconds"]), _ms(ingest["cpu_seconds"]), _mib(ingest["peak_memory_bytes"])),
        *(_ms(pick["seconds"]), _ms(pick["cpu_seconds"]), _mib(pick["peak_memory_bytes"])),
        _mib(pick["peak_device_memory_bytes"]),
    ]


def _stage(stage: dict[str, Any]) -> list[str]:
    amounts = [
        f"{stage[name] / unit:.{digits}f}" if stage[name] else "-"
        for name, unit, digits in (
            ("bytes", 1e6, 2),
            ("bytes_per_s", 1e9, 2),
            ("flops", 1e9, 2),
            ("flops_per_s", 1e9, 1),
        )
    ]
    share = "-" if stage["share"] is None else f"{stage['share']:.0%}"
    times = [_ms(stage[name]) for name in ("seconds", "least_seconds", "cpu_seconds")]
    return [stage["name"], *times, *amounts, share, stage["bound"] or "-"]


def _total(stages: list[dict[str, Any]]) -> list[str]:
    times = [
        _ms(sum(stage[name] for stage in stages)) for name in ("seconds", "least_seconds", "cpu_seconds")
    ]
    return ["all", *times, *6 * [""]]


def _table(columns: tuple[str, ...], rows: list[Any]) -> str:
    """Return aligned columns, the first to the left, the others to the right."""
    lines = [columns, *rows]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if index else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:.1f}"


def _mib(amount: int | None) -> str:
    return "-" if amount is None else f"{amount / 2**20:.0f}"
