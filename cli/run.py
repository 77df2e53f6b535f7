"""``cryopick run``: ingest, pick, table, export and report in one."""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from . import options
from .console import ConsoleEvents, looked_at, say


def run(
    out: Annotated[
        str,
        typer.Option(
            "--out", metavar="DIR", help="Folder of the run, or s3://BUCKET/PREFIX.", show_default=False
        ),
    ],
    inputs: options.Inputs = None,
    diameter: Annotated[
        float | None,
        typer.Option(
            "--diameter",
            metavar="A",
            help="Longest dimension of the particle in angstroms; default: estimated from the micrographs.",
        ),
    ] = None,
    model: options.Model = None,
    pixel_size: options.PixelSize = None,
    threshold: options.Threshold = None,
    particle_px: options.ParticlePx = None,
    invert: options.Invert = None,
    exact: options.Exact = None,
    limit: options.Limit = None,
    store_pixel_size: options.StorePixelSize = None,
    gain: options.Gain = None,
    gain_rot: options.GainRot = None,
    gain_flip: options.GainFlip = None,
    dose: options.Dose = None,
    binning: options.Binning = None,
    movie_set: options.MovieSet = None,
    image_set: options.ImageSet = None,
    pattern: options.Pattern = None,
    connections: options.Connections = None,
    bandwidth: options.Bandwidth = None,
    disk_gb: options.DiskGB = None,
    relion_project: options.RelionProject = None,
    engine: options.EngineName = None,
    workers: options.Workers = None,
    threads: options.Threads = None,
    device: options.Device = None,
    precision: options.PrecisionName = None,
    gpus_per_worker: options.GpusPerWorker = None,
    address: options.Address = None,
    voltage: Annotated[
        float | None,
        typer.Option(
            "--voltage-kv",
            metavar="kV",
            rich_help_panel="RELION",
            help="Where the input STAR does not say; default: 300.",
        ),
    ] = None,
    aberration: Annotated[
        float | None,
        typer.Option(
            "--spherical-aberration-mm",
            metavar="mm",
            rich_help_panel="RELION",
            help="Likewise; default: 2.7.",
        ),
    ] = None,
    amplitude_contrast: Annotated[
        float | None,
        typer.Option(
            "--amplitude-contrast", metavar="X", rich_help_panel="RELION", help="Likewise; default: 0.1."
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            help="Settings of an earlier run (its config.yaml); options given here win.",
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Go on with the run in DIR, with its settings; new micrographs in INPUT join it."
        ),
    ] = False,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Pick micrographs: ingest, pick, table, RELION coordinates and a report in one.

    DIR then holds config.yaml store.zarr picks/ table/ coordinates/ report.html summary.json.
    """
    del debug
    from cryopick_ray.config import load_settings, read_yaml
    from cryopick_ray.errors import UsageError
    from cryopick_ray.runs.empiar_run import is_archive
    from cryopick_ray.runs.folder import RunFolder
    from cryopick_ray.runs.pipeline import Timings, plan
    from cryopick_ray.runs.pipeline import run as run_pipeline
    from cryopick_ray.runs.results import write_results

    folder, timings = RunFolder(out), Timings()
    if resume and not (inputs or config or folder.config.is_file()):
        raise UsageError(f"{folder.where} holds no run to resume; give INPUT to start one")
    data: dict[str, Any] = {"relion_project": str(Path.cwd())}
    if config:
        data = read_yaml(config)
    elif resume and folder.config.is_file():
        data = folder.settings().model_dump(mode="json")
    given = {
        "inputs": inputs,
        "diameter_A": diameter,
        "model": options.absolute_model(model),
        "pixel_size_A": pixel_size,
        "store_pixel_size_A": store_pixel_size,
        "particle_px": particle_px,
        "invert": invert,
        "exact": exact,
        "precision": precision,
        "threshold": threshold,
        "limit": limit,
        "threads": threads,
        "relion_project": str(relion_project.absolute()) if relion_project else None,
    }
    optics = {
        "voltage_kV": voltage,
        "spherical_aberration_mm": aberration,
        "amplitude_contrast": amplitude_contrast,
    }
    running = {
        "engine": engine,
        "workers": workers,
        "device": device,
        "gpus_per_worker": gpus_per_worker,
        "address": address,
    }
    archive = {
        "image_set": image_set,
        "pattern": pattern,
        "connections": connections,
        "bandwidth_MB_s": bandwidth,
        "disk_GB": disk_gb,
    }
    data |= _given(given)
    if resume and folder.config.is_file() and data.get("diameter_A") is None:
        data["diameter_A"] = folder.settings().diameter_A  # what was estimated once stays
    data["inputs"] = [options.absolute(str(text)) for text in data.get("inputs") or []]
    data["optics"] = data.get("optics", {}) | _given(optics)
    data["engine"] = data.get("engine", {}) | _given(running)
    data["archive"] = data.get("archive", {}) | _given(archive)
    data["movies"] = options.movie_settings(
        data.get("movies", {}),
        gain=gain,
        gain_rot=gain_rot,
        gain_flip=gain_flip,
        dose=dose,
        binning=binning,
        others=movie_set,
    )
    settings = load_settings(data)
    if settings.diameter_A is None or is_archive(settings.inputs):
        folder.check_free(resume=resume)  # before minutes of work
    with ConsoleEvents() as events:
        planned = plan(settings, folder.download, events.note, partial(looked_at, events))
    with folder.claim(planned.settings, resume=resume):
        with ConsoleEvents() as events:
            digest, thresholds = run_pipeline(planned, folder, events, timings)
            summary = write_results(planned.settings, folder, digest, thresholds, timings.seconds)
        say(summary.to_dict(), summary.text(), as_json=as_json)
    if summary.failures:
        raise typer.Exit(options.DONE_WITH_FAILURES)


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
