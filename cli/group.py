"""A group of commands that turns errors into one line and an exit status."""

import traceback
from typing import Any

import typer
from typer.core import TyperGroup

from cryopick_ray.errors import CryoPickError

from .spelling import has, speak_of, tell

INTERRUPTED = 130


class Group(TyperGroup):
    """Turns errors into one line and an exit status; ``--debug`` shows where they came from."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command, whose words messages will use."""
        found = super().resolve_command(ctx, args)
        speak_of(found[1])
        return found

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, BrokenPipeError):  # not errors of ours
            raise
        except CryoPickError as error:
            self._say(ctx, str(error))
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt as error:
            advice = "finished work is kept, go on with --resume" if has("--resume") else str(error)
            goes_on = f"; {advice}" if advice else ""
            self._say(ctx, f"interrupted{goes_on}")
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
        tell(f"cryopick: error: {text}")
