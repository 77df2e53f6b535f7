"""``cryopick simulate``: micrographs with known truth."""

from pathlib import Path
from typing import Annotated

import typer

from . import options
from .bridge import ENGINE, Given, Offer, takes
from .console import ConsoleEvents, say


@takes(
    settings=Offer(
        "cryopick_ray.simulate.simulation_settings:SimulationSettings",
        (
            *("micrographs", "seed", "pixel_size_A", "scene.particles", "scene.packing"),
            *("microscope.defocus_A", "exposure.dose_e_per_A2"),
        ),
        assign=True,
        calls={"height_px": "height of --shape", "width_px": "width of --shape"},
    ),
    engine=Offer(ENGINE, ("engine", "workers", "address")),
)
def simulate(
    settings: Given,
    engine: Given,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Folder for micrographs/ truth/ decoys/ masks/."),
    ] = None,
    molecules: Annotated[
        str | None,
        typer.Option(
            "--molecules",
            metavar="A,B",
            help="Names, MRC maps or PDB/mmCIF files; helix:MOLECULE:RISE:TWIST winds a filament.",
        ),
    ] = None,
    shape: Annotated[
        str | None, typer.Option("--shape", metavar="HxW", help="Size in pixels; default: 4096x4096.")
    ] = None,
    empty: Annotated[
        bool, typer.Option("--empty", help="No particles at all, for counting false picks.")
    ] = False,
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="Settings (a run's simulation.yaml).")
    ] = None,
    store: Annotated[
        str | None, typer.Option("--store", metavar="S", help="Write the micrographs into a store instead.")
    ] = None,
    list_molecules: Annotated[
        bool, typer.Option("--list-molecules", help="Print the built-in molecules and filaments and stop.")
    ] = False,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Simulate micrographs through the physics of the microscope, with the truth beside them."""
    del debug
    if list_molecules:
        _print_molecules(as_json=as_json)
        return
    from cryopick_ray.engine.open_engine import open_engine
    from cryopick_ray.errors import UsageError
    from cryopick_ray.settings.config import absolute, absolute_model, fill, over, read_yaml
    from cryopick_ray.settings.engine_settings import EngineSettings
    from cryopick_ray.simulate.simulation import simulate_all
    from cryopick_ray.simulate.simulation_settings import simulation_settings

    given: Given = {"scene": {"empty_probability": 1}} if empty else {}
    if molecules is not None:
        given["molecules"] = [absolute_model(name) for name in molecules.split(",")]
    if shape is not None:
        given["height_px"], _, given["width_px"] = shape.lower().partition("x")
    wanted = simulation_settings(over(over(read_yaml(config) if config else {}, given), settings))
    if out is None:
        raise UsageError("--out is missing: give the folder to write to")
    running = fill(EngineSettings, **engine)
    with ConsoleEvents() as events, open_engine(running, threads=1) as runner:
        failures = simulate_all(
            wanted, out.absolute(), runner, events, store_url=absolute(store) if store else None
        )
    done = wanted.micrographs - len(failures)
    outcome = {
        "out": str(out),
        "micrographs": done,
        "failures": [dict(zip(("micrograph_id", "reason"), f, strict=True)) for f in failures],
    }
    say(
        outcome,
        f"{done} micrographs in {store or out / 'micrographs'}, their truth in {out / 'truth'}",
        as_json=as_json,
    )
    if failures:
        raise typer.Exit(options.DONE_WITH_FAILURES)


def _print_molecules(*, as_json: bool) -> None:
    from cryopick_ray.simulate.library import list_filaments, list_molecules

    rows = [
        {
            "name": m.name,
            "family": m.family,
            "pdb": m.pdb,
            "mass_kDa": round(m.mass_kDa),
            "diameter_A": round(m.diameter_A),
            "how": m.how,
            "is_filament": m.helix is not None,
        }
        for m in (*list_molecules(), *list_filaments())
    ]
    head = [f"{'name':20} {'family':16} {'pdb':5} {'kDa':>6} {'A':>5}  how"]
    texts = [
        f"{r['name']:20} {r['family']:16} {r['pdb']:5} {r['mass_kDa']:6} {r['diameter_A']:5}  {r['how']}"
        for r in rows
    ]
    count = len(list_molecules())
    lines = [*head, *texts[:count], "", "filaments: mass of a unit, width", *texts[count:]]
    say({"molecules": rows}, "\n".join(lines), as_json=as_json)
