"""``cryopick teach``: train a run's model on about ten marked particles and ten wrong places, in a minute."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from cryopick_ray.engine.engine import Engine
from cryopick_ray.engine.events import Events
from cryopick_ray.engine.open_engine import open_engine
from cryopick_ray.errors import ModelError, UsageError, few
from cryopick_ray.formats.mask_names import masks_of
from cryopick_ray.pickers.heatmap.networks import MOST
from cryopick_ray.pickers.weights import ModelCard, save_model, weights_digest
from cryopick_ray.picks.table import PickTable
from cryopick_ray.runs.learning import LearningSettings
from cryopick_ray.runs.learning import train_context as train_context_of
from cryopick_ray.runs.pipeline import Timings
from cryopick_ray.runs.run_folder import RunFolder
from cryopick_ray.runs.self_training.self_train_settings import starting_model
from cryopick_ray.runs.teach.marked_places import MarkedPlaces, read_marks
from cryopick_ray.runs.teach.teach_model import KeptModel, TeachableModel, TeachSettings, learn
from cryopick_ray.runs.teach.teach_result import ShownMarks, TeachResult
from cryopick_ray.settings.cut_settings import CutSettings
from cryopick_ray.settings.run_settings import RunSettings
from cryopick_ray.stages.cut_table import table
from cryopick_ray.stages.pick import pick
from cryopick_ray.store.claim import claimed, local_folder
from cryopick_ray.store.publish import write_whole
from cryopick_ray.training.card import learnt_from
from cryopick_ray.training.recipes.marks import MarksRecipe

USUAL_THRESHOLD = 0.5
"""Threshold of a model whose card has none."""
MODEL, SUMMARY, TABLE, PICKS = "model.safetensors", "teach.json", "table", "picks"


def teach(
    run: str | Path, out: str | Path, settings: TeachSettings, learning: LearningSettings, events: Events
) -> TeachResult:
    """Train a run's model on marked places, and pick some micrographs with the result.

    ``out`` then holds ``model.safetensors`` with its card, ``teach.json``, and ``table/`` with the new
    candidates of the micrographs that are shown. A model that is not better on held-back marks is not kept,
    and the result says so.

    Raises
    ------
    UsageError, ModelError
        If there are too few marks, the run has no store, or its model cannot learn from marks.
    """
    run_folder, folder = RunFolder(local_folder(str(run))), local_folder(str(out)).absolute()
    target = run_folder.settings()
    if not Path(run_folder.store).exists():
        raise UsageError(
            f"{run_folder.where} has no store of micrographs to learn from; go on with it by `resume`"
        )
    teachable = _teachable_model(target)
    marks = read_marks(run_folder, target, settings.curation)
    for note in marks.notes:
        events.note(note)
    shown = _micrographs_to_show(run_folder, settings.micrographs, marks, events)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is there and not empty; choose another `out`")
    timings = Timings()
    with (
        claimed(folder, settings, [], resume=False),
        open_engine(learning.picking, threads=target.threads) as engine,
    ):
        train_context = train_context_of(learning, "auto", events)
        kept_model = learn(teachable, marks, folder, settings, train_context, timings)
        model = folder / MODEL
        save_model(model, kept_model.weights, _card(teachable, marks, kept_model, settings))
        with timings.stage("pick"):
            _preview(run_folder, target, folder, shown, engine, events, learning.device)
    result = _teach_result(run_folder, folder, teachable, marks, kept_model, shown, timings)
    write_whole(folder / SUMMARY, json.dumps(result.to_dict(), indent=1) + "\n")
    return result


def _teachable_model(target: RunSettings) -> TeachableModel:
    """Return the run's model with the recipe that trains it on marks."""
    weights, card = starting_model(target.model)
    if card.network != "heatmap" or card.parameters.get("answers") != MOST:
        raise ModelError(
            f"{target.model} does not learn from marks; teach a run of the default `model`, or of another "
            "heat-map network that knows nearness and junk"
        )
    recipe = MarksRecipe(base=card.parameters["base"], particle_px=target.particle_px or card.particle_px)
    card_threshold = card.threshold if card.threshold is not None else USUAL_THRESHOLD
    return TeachableModel(
        weights, card, recipe, target.threshold if isinstance(target.threshold, float) else card_threshold
    )


def _micrographs_to_show(
    run: RunFolder, wanted: Sequence[str], marks: MarkedPlaces, events: Events
) -> tuple[str, ...]:
    """Return the ids of the micrographs to show: the picked ones of ``wanted``, else the marked ones."""
    status = {micrograph.micrograph_id: micrograph.status for micrograph in PickTable(run.table).micrographs}
    if unknown := sorted(set(wanted) - status.keys()):
        raise UsageError(
            f"`micrographs` {few(unknown)}: the run has no such micrograph; expected its table's ids"
        )
    if failed := [name for name in wanted if status[name] != "complete"]:
        events.note(f"{few(failed)}: not picked, so not shown")
    picked = dict.fromkeys(name for name in wanted if status[name] == "complete")
    return tuple(picked) or tuple(row.row.micrograph_id for row in marks.rows)


def _card(
    teachable: TeachableModel, marks: MarkedPlaces, kept_model: KeptModel, settings: TeachSettings
) -> ModelCard:
    """Return the card of the kept model."""
    before = teachable.card
    name = before.name.removesuffix("-taught")
    changes = {
        "trained_on": learnt_from(marks.rows, before.trained_on).model_copy(
            update={
                "note": f"{marks.particles} particles and {marks.wrong} wrong places that a person marked"
            }
        ),
        "digest": weights_digest(kept_model.weights),
        "scores": {},
        "date": datetime.now(UTC).date(),
        "limits": f"Taught for one data set; calibrated as {name} is. {before.limits}".strip(),
    }
    return before.model_copy(
        update={
            **(changes if kept_model.kept == "taught" else {}),
            "name": f"{name[:93]}-taught" if kept_model.kept == "taught" else before.name,
            "source": f"cryopick teach from {before.name}: {kept_model.kept}, seed {settings.seed}",
            "particle_px": teachable.recipe.particle_px,
            "threshold": kept_model.threshold,
        }
    )


def _preview(
    run: RunFolder,
    target: RunSettings,
    folder: Path,
    shown: Sequence[str],
    engine: Engine,
    events: Events,
    device: str,
) -> None:
    """Pick the shown micrographs with the new model, into a table beside it.

    People's decisions are not applied: the table shows what the model finds by itself.
    """
    own = {"model": str(folder / MODEL), "particle_px": None, "threshold": "auto"}
    settings, picks = target.model_copy(update=own), str(folder / PICKS)
    digest = pick(run.store, picks, settings.pick, engine, events, device=device, only=shown)
    table(
        run.store,
        picks,
        digest,
        folder / TABLE,
        CutSettings(),
        keep_junk=target.keep_junk,
        masks=masks_of(target.masks, run.store),
        any_image=target.any_image,
        selection=target.selection.model_copy(update={"curation": (), "classes": ()}),
    )


def _teach_result(
    run: RunFolder,
    folder: Path,
    teachable: TeachableModel,
    marks: MarkedPlaces,
    kept_model: KeptModel,
    shown: Sequence[str],
    timings: Timings,
) -> TeachResult:
    """Return the numbers of the training and of the shown micrographs."""
    old, new = PickTable(run.table).of(shown), PickTable(folder / TABLE).of(shown)
    counts = (ShownMarks(name, int(old[name].picked.sum()), int(new[name].picked.sum())) for name in shown)
    after = kept_model.after if kept_model.kept == "taught" else kept_model.before
    return TeachResult(
        model=str(folder / MODEL),
        table=str(folder / TABLE),
        kept=kept_model.kept,
        particles=marks.particles,
        wrong=marks.wrong,
        micrographs=len(marks.rows),
        threshold_before=teachable.threshold,
        threshold=kept_model.threshold,
        right_before=kept_model.before.right(teachable.threshold),
        right=after.right(kept_model.threshold),
        in_order_before=kept_model.before.in_order,
        in_order=after.in_order,
        unlikeliness_before=kept_model.before.unlikeliness(teachable.threshold),
        unlikeliness_at_threshold=kept_model.before.unlikeliness(kept_model.usual),
        unlikeliness_taught=kept_model.after.unlikeliness(kept_model.taught_threshold),
        kept_share=kept_model.kept_share,
        shown=tuple(counts),
        notes=marks.notes,
        doubts=kept_model.doubts,
        seconds=timings.seconds,
    )
