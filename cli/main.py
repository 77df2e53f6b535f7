"""The ``cryopick`` command; one file per command."""

import signal
import traceback
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from cryopick_ray import __version__
from cryopick_ray.errors import CryoPickError

from . import (
    bench,
    cluster,
    diameter,
    empiar,
    evaluate,
    export,
    ingest,
    models,
    pick,
    plan,
    refine,
    report,
    run,
    simulate,
    table,
    train,
)

INTERRUPTED = 130


class Group(TyperGroup):
    """Turns errors into one line and an exit status; ``--debug`` shows where they came from."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, BrokenPipeError):  # not errors of ours
            raise
        except CryoPickError as error:
            self._say(ctx, str(error))
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            self._say(ctx, "interrupted; finished work is kept, go on with --resume")
            raise typer.Exit(INTERRUPTED) from None
        except OSError as error:
            self._say(ctx, f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}")
            raise typer.Exit(1) from None
        except (ValueError, RuntimeError, TypeError, KeyError, AttributeError, MemoryError) as error:
            self._say(ctx, f"{type(error).__name__}: {error} (a bug? --debug shows where)")
            raise typer.Exit(1) from None

    def _say(self, ctx: Any, text: str) -> None:
        if ctx.meta.get("debug"):
            typer.echo(traceback.format_exc(), err=True)
        typer.echo(f"cryopick: error: {text}", err=True)


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


app.command()(run.run)
app.command()(ingest.ingest)
app.command()(plan.plan)
app.command()(pick.pick)
app.command()(table.table)
app.command()(export.export)
app.command()(report.report)
app.command()(diameter.diameter)
app.command()(evaluate.evaluate)
app.command()(simulate.simulate)
app.command()(train.train)
app.command()(refine.refine)
app.command()(bench.bench)
app.add_typer(models.app, name="models")
app.add_typer(empiar.app, name="empiar")
app.add_typer(cluster.app, name="cluster")

if __name__ == "__main__":
    app()
