"""``cryopick cluster``: runs on clouds, Kubernetes and SLURM."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import options
from .console import say
from .group import Group

if TYPE_CHECKING:
    from cryopick_ray.launch.cluster_jobs import ClusterJob, ClusterJobs
    from cryopick_ray.launch.cluster_settings import ClusterSettings

app = typer.Typer(
    cls=Group, no_args_is_help=True, help="Run on AWS, GCP, Kubernetes or SLURM: templates and jobs."
)

Config = Annotated[Path, typer.Argument(metavar="CONFIG", help="YAML file of the cluster and the run.")]
JobAddress = Annotated[
    str,
    typer.Option("--address", metavar="URL", help="Ray's dashboard, through a tunnel; not used with SLURM."),
]
TUNNEL = "http://127.0.0.1:8265"


@app.command()
def render(
    config: Config,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the files.")],
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Write the files for ray up, kubectl apply or sbatch."""
    del debug
    from cryopick_ray.launch.render import render as fill
    from cryopick_ray.launch.render import write

    files = fill(_settings(config))
    write(files, out)
    paths = [str(out / name) for name in files]
    say({"files": paths}, "\n".join(paths), as_json=as_json)


@app.command()
def check(
    config: Config,
    crd: Annotated[
        Path | None,
        typer.Option(
            "--crd",
            metavar="FILE",
            help="Check manifests also against: kubectl get crd rayjobs.ray.io rayclusters.ray.io -o yaml.",
        ),
    ] = None,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Render and check against the schemas of Ray, KubeRay and SLURM; asks nobody, starts nothing."""
    del debug
    from cryopick_ray.launch.check import check as complaints
    from cryopick_ray.launch.render import render as fill

    settings = _settings(config)
    found = complaints(settings.kind, fill(settings), crd)
    say({"complaints": found}, "\n".join(found) or f"{config} is well", as_json=as_json)
    if found:
        raise typer.Exit(1)


@app.command()
def submit(
    config: Config,
    address: JobAddress = TUNNEL,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Start the run, or go on with it; one that waits or runs already is left alone."""
    del debug
    job, is_new = _jobs(_settings(config), address).submit()
    text = f"{job.id} is submitted" if is_new else f"{job.id} is at work already"
    say(_outcome(job) | {"new": is_new}, text, as_json=as_json)


@app.command()
def status(
    config: Config,
    address: JobAddress = TUNNEL,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Tell how the run's last attempt is."""
    del debug
    job = _last(_jobs(_settings(config), address), config)
    say(_outcome(job), job.text(), as_json=as_json)


@app.command()
def logs(
    config: Config,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until it ends; exit as it does.")] = False,
    address: JobAddress = TUNNEL,
    debug: options.Debug = False,
) -> None:
    """Print what the run's last attempt has said."""
    del debug
    jobs = _jobs(_settings(config), address)
    for text in jobs.logs(_last(jobs, config), follow=follow):
        typer.echo(text, nl=False)
    if follow:
        job = _last(jobs, config)
        typer.echo(job.text(), err=True)
        if job.state not in ("SUCCEEDED", "COMPLETED"):
            raise typer.Exit(job.exit_code or 1)


@app.command()
def stop(
    config: Config,
    address: JobAddress = TUNNEL,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """End the run well: what is finished is kept, and submit goes on with it."""
    del debug
    jobs = _jobs(_settings(config), address)
    job = _last(jobs, config)
    if job.active:
        job = jobs.stop(job)
    say(_outcome(job), job.text(), as_json=as_json)
    if job.active:
        raise typer.Exit(1)


def _settings(config: Path) -> "ClusterSettings":
    from cryopick_ray.launch.cluster_settings import cluster_settings
    from cryopick_ray.settings.config import read_yaml

    return cluster_settings(read_yaml(config))


def _jobs(settings: "ClusterSettings", address: str) -> "ClusterJobs":
    from cryopick_ray.launch.cluster_settings import SlurmSettings
    from cryopick_ray.launch.command import run_command

    if isinstance(settings, SlurmSettings):
        from cryopick_ray.launch.render import render as fill
        from cryopick_ray.launch.slurm_jobs import SlurmJobs

        (script,) = fill(settings).values()
        return SlurmJobs(settings.name, script, settings.log)
    from cryopick_ray.launch.ray_jobs import RayJobs

    return RayJobs(settings.name, run_command(settings), address)


def _last(jobs: "ClusterJobs", config: Path) -> "ClusterJob":
    from cryopick_ray.errors import EngineError

    job = jobs.last()
    if job is None:
        raise EngineError(f"no run of {config} is known there; start one by cryopick cluster submit {config}")
    return job


def _outcome(job: "ClusterJob") -> dict[str, object]:
    from dataclasses import asdict

    return asdict(job)
