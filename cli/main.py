"""The ``cryopick`` command; one file per command."""

import signal
from typing import Annotated

import typer

from cryopick_ray import __version__

from . import (
    bench,
    classify2d,
    cluster,
    compare,
    consensus,
    convert,
    ctf,
    diameter,
    empiar,
    evaluate,
    export,
    extract,
    ingest,
    iterate,
    models,
    pick,
    plan,
    reconstruct,
    relion,
    report,
    run,
    self_train,
    simulate,
    table,
    teach,
    train,
    view,
    watch,
)
from .bridge import SettingsCommand
from .group import Group

app = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Find particles in cryo-EM micrographs: files in, coordinates and a report out.",
    epilog="Exit status: 0 all done, 3 done with failures, 1 could not run, 2 wrong usage.",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cryopick {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Find particles in cryo-EM micrographs: files in, coordinates and a report out."""
    del version
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a scheduler's notice ends a run like Ctrl-C


app.command(cls=SettingsCommand)(run.run)
app.command(cls=SettingsCommand)(watch.watch)
app.command(cls=relion.JobCommand)(relion.relion)
app.command(cls=SettingsCommand)(ingest.ingest)
app.command(cls=SettingsCommand)(plan.plan)
app.command(cls=SettingsCommand)(pick.pick)
app.command(cls=SettingsCommand)(table.table)
app.command()(export.export)
app.command()(convert.convert)
app.command(cls=SettingsCommand)(extract.extract)
app.command()(consensus.consensus)
app.command()(report.report)
app.command()(view.view)
app.command(cls=SettingsCommand)(ctf.ctf)
app.command(cls=SettingsCommand)(diameter.diameter)
app.command(cls=SettingsCommand)(evaluate.evaluate)
app.command(cls=SettingsCommand)(compare.compare)
app.command(cls=SettingsCommand)(classify2d.classify2d)
app.command(cls=SettingsCommand)(reconstruct.reconstruct)
app.command(cls=SettingsCommand)(simulate.simulate)
app.command(cls=SettingsCommand)(train.train)
app.command(cls=SettingsCommand)(self_train.self_train)
app.command(cls=SettingsCommand)(teach.teach)
app.command(cls=SettingsCommand)(iterate.iterate)
app.command(cls=SettingsCommand)(bench.bench)
app.add_typer(models.app, name="models")
app.add_typer(empiar.app, name="empiar")
app.add_typer(cluster.app, name="cluster")

if __name__ == "__main__":
    app()
