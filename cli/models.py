"""``cryopick models``: what picks, and foreign weights brought in."""

from pathlib import Path
from typing import Annotated

import typer

from . import options
from .console import say

app = typer.Typer(no_args_is_help=True, help="List, show and import models.")


@app.command("list")
def list_models(as_json: options.Json = False, debug: options.Debug = False) -> None:
    """List the models that come with this program."""
    del debug
    from cryopick_ray.pickers.catalogue import BUILT_IN

    models = {name: model.description for name, model in BUILT_IN.items()}
    say(models, "\n".join(f"{name:16} {text}" for name, text in models.items()), as_json=as_json)


@app.command()
def show(
    model: Annotated[str, typer.Argument(metavar="NAME|FILE", help="A model's name or weights file.")],
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Show what a model is made of and what decides its picks."""
    del debug
    from cryopick_ray.pickers.catalogue import describe

    facts = describe(model)
    say(facts, "\n".join(f"{name:16} {value}" for name, value in facts.items()), as_json=as_json)


@app.command("import")
def import_model(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Topaz's state dict (.sav).")],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Where to write; default: here, as .safetensors."),
    ] = None,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Turn Topaz's weights into safetensors and a card; nothing in the file is executed."""
    del debug
    from cryopick_ray.pickers.importers import import_topaz
    from cryopick_ray.pickers.weights import save_model

    state, card = import_topaz(file)
    target = out or Path(file.with_suffix(".safetensors").name)
    save_model(target, state, card)
    say({"model": str(target), **card.model_dump(mode="json")}, f"{card.name} in {target}", as_json=as_json)
