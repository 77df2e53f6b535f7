"""Puts trained models into the package, their cards completed by what ``cryopick evaluate --suite`` measured.

Twice: first without scores, so that the suite can ask for the models by name, then with its suite.json.
"""

import json
from pathlib import Path
from typing import Annotated

import typer

from cryopick_ray.pickers.shipped import FOLDER
from cryopick_ray.pickers.weights import load_model, save_model, weights_digest

LIMITS = {
    "heatmap-filament": "Filaments of one width at a time; where two cross at less than about 25 degrees "
    "they are cut, or seldom taken for one another. In crowds of particles about 2.5 times as large as the "
    "width a few short ones are seen.",
    "heatmap-general": "Single frames are hardly found; small particles (below about 80 kDa) in noise and "
    "stain in part. Texture of ice as coarse as the particles is taken for some where it is all over the "
    "field: look at the verdicts.",
    "heatmap-general-real": "As heatmap-general; it knows beta-galactosidase (EMPIAR-10017), so scores there "
    "are not of an unseen molecule.",
    "topaz-general": "For comparison; heatmap-general finds more and is surer of it.",
    "deeppicker-general": "For comparison; windows of one particle each see little of what lies around them.",
    "deepem-general": "For comparison; windows of one particle each see little of what lies around them.",
    "cryolo-general": "For comparison; at most one particle in each square of half a diameter; half as wide "
    "as published, and still learning when it was stopped.",
}
RECIPES = {"heatmap-filament": "examples/17_filament_model.yaml"}
BY_HAND: dict[str, dict] = {
    "heatmap-general": {"threshold": 0.5, "calibration": (1.2, 0.0, 0.35, 0.45)},
    "topaz-general": {"threshold": -0.66},
    "deeppicker-general": {"threshold": None},
    "deepem-general": {"threshold": None},
    "heatmap-filament": {"threshold": 0.6},
}
"""Instead of what validation found. The default model's numbers were chosen on beta-galactosidase, the
proteasome of many defoci and fields without particles, with apoferritin in view; Topaz' threshold is the best
on beta-galactosidase. Scores of DeepPicker and DeepEM lie lower on real micrographs than on simulated ones:
scores of a run tell where to cut. The filament model's is the highest that costs less than half a percent of
F1 by length on new micrographs of eight taught kinds: particles are no filaments."""
LICENCE = "Apache-2.0; learnt from simulations"
REAL = "Apache-2.0; learnt from simulations and from EMPIAR-10017 (CC0)"
EMPTY = ("fields-crystalline", "fields-empty", "junk", "contaminated")
SCORES = {
    "betagal-10017": "betagal",
    "apoferritin-10146": "apoferritin",
    "held-out, mean of 5 molecules": "held_out",
}


def main(
    models: Annotated[list[str], typer.Argument(help="Trained models, each as NAME=FILE.")],
    device: Annotated[str, typer.Option(help="What they were trained on.")],
    suite: Annotated[Path | None, typer.Option(help="suite.json of the suite.")] = None,
    half: Annotated[list[str] | None, typer.Option(help="Kept in float16, at half the size.")] = None,
    earlier: Annotated[float, typer.Option(help="Seconds of the training that it began with.")] = 0,
    filaments: Annotated[Path | None, typer.Option(help="What filaments.py --figures wrote.")] = None,
) -> None:
    """Write weights and cards."""
    rows = json.loads(suite.read_text())["rows"] if suite else []
    for model in models:
        name, _, file = model.partition("=")
        state, card = load_model(Path(file))
        if name in (half or ()):
            state = {
                key: model.half() if model.is_floating_point() else model for key, model in state.items()
            }
        is_real = any(model.simulated is False for model in card.trained_on.sets)
        recipes = RECIPES.get(name, "examples/09_general.yaml" + ", 11_general_real.yaml" * is_real)
        scores = {**card.scores, **measured(rows, name)} if name not in RECIPES else by_length(filaments)
        said = {
            "name": name,
            **BY_HAND.get(name, {}),
            "device": device,
            "training_seconds": round(earlier + (card.training_seconds or 0)),
            "source": card.source if card.source.startswith(recipes) else f"{recipes}; {card.source}",
            "limits": LIMITS[name],
            "licence": REAL if is_real else LICENCE,
            "scores": scores,
            "digest": weights_digest(state),
        }
        save_model(FOLDER / f"{name}.safetensors", state, card.model_copy(update=said))
        typer.echo(f"{name}: {said['scores']}")


def by_length(figures: Path | None) -> dict[str, float]:
    """Return the means over the kinds of filaments that were kept out, by length."""
    kinds = list(json.loads(figures.read_text()).values()) if figures else []
    names = ("f1", "recall", "precision", "auprc", "angle_deg")
    return {f"held_out_{name}": sum(kind[name] for kind in kinds) / len(kinds) for name in names if kinds}


def measured(rows: list[dict], name: str) -> dict[str, float]:
    """Return the suite's numbers of one model by short names."""
    found = {}
    for row in (row for row in rows if row["model"] == name and row["data"] in SCORES):
        for key in ("f1", "best_f1", "auprc"):
            found[f"{SCORES[row['data']]}_{key}"] = round(row["mean"][key], 4)
    for row in (row for row in rows if row["model"] == name and row["data"] in EMPTY):
        found[f"{row['data']}_false_picks"] = row["mean"]["false_mean"]
    return found


if __name__ == "__main__":
    typer.run(main)
