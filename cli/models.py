"""``cryopick models``: what picks, foreign weights brought in, and templates made of a map."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from . import options
from .console import say
from .group import Group

app = typer.Typer(cls=Group, no_args_is_help=True, help="List, show, import and make models.")


@app.command("list")
def list_models(as_json: options.Json = False, debug: options.Debug = False) -> None:
    """List the models that come with this program."""
    del debug
    from cryopick_ray.pickers.catalogue import listed_models

    found = listed_models()
    width = max(map(len, found))
    lines = [f"{name:{width}}  {text}" for name, text in found.items()]
    say(found, "\n".join(lines), as_json=as_json)


@app.command()
def show(
    model: Annotated[str, typer.Argument(metavar="NAME|FILE", help="A model's name or weights file.")],
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Show what a model is made of and what decides its picks."""
    del debug
    from cryopick_ray.pickers.catalogue import describe, summarise

    lines = [
        f"{name if first else '':12}{text}"
        for name, value in summarise(model)
        for first, text in zip([True] + value.count("\n") * [False], value.split("\n"), strict=True)
    ]
    say(describe(model), "\n".join(lines), as_json=as_json)


@app.command("options")
def list_options(
    network: Annotated[
        str | None, typer.Argument(metavar="[NETWORK]", help="Its name; without one, networks are listed.")
    ] = None,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """List what can be set of a network in a training, with the defaults; or the networks themselves."""
    del debug
    if network is None:
        from cryopick_ray.pickers.registry import list_networks

        there, wrong = list_networks()
        taught = {one.name: one.training for one in there if one.training}
        lines = [f"{name:16} {one.epochs} epochs of {one.steps} steps" for name, one in taught.items()]
        say({name: asdict(one) for name, one in taught.items()}, "\n".join(lines), as_json=as_json)
        for text in wrong:
            typer.echo(text, err=True)
        return
    from cryopick_ray.training.recipes.recipe_catalogue import recipe_options

    found = recipe_options(network)
    say(found, "\n".join(f"{name:16} {value}" for name, value in found.items()), as_json=as_json)


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


@app.command()
def template(
    molecule: Annotated[
        str,
        typer.Argument(
            metavar="MAP", help="MRC map, PDB or mmCIF file, or a molecule of simulate --list-molecules."
        ),
    ],
    diameter: Annotated[
        float | None,
        typer.Option(
            "--diameter", metavar="A", help="The diameter you will pick with; default: the map's longest."
        ),
    ] = None,
    angular_step: Annotated[
        float, typer.Option("--angular-step", metavar="DEG", help="Angle between neighbouring views.")
    ] = 15.0,
    particle_px: Annotated[
        float, typer.Option("--particle-px", metavar="N", help="Pixels that the diameter becomes.")
    ] = 12.0,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FILE", help="Where to write; default: here, as template-NAME.safetensors."
        ),
    ] = None,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Make a model of projections of a map, matched by local cross-correlation (template matching)."""
    del debug
    from cryopick_ray.pickers.weights import save_model
    from cryopick_ray.runs.template_model import template_model

    network, card, diameter_A = template_model(molecule, diameter, particle_px, angular_step)
    target = out or Path(f"{card.name}.safetensors")
    save_model(target, network.state_dict(), card)
    say(
        {"model": str(target), "diameter_A": diameter_A, **card.model_dump(mode="json")},
        f"{len(network.templates)} templates; pick with --model {target} --diameter {diameter_A:g}",
        as_json=as_json,
    )
