"""A person's marks teach a run's model: some ten particles and ten wrong places, in about a minute."""

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
from cryopick_ray.runs.learning import train_context as means_of
from cryopick_ray.runs.pipeline import Timings
from cryopick_ray.runs.run_folder import RunFolder
from cryopick_ray.runs.student import starting_model
from cryopick_ray.runs.teach_marks import Marks, read_marks
from cryopick_ray.runs.teach_result import ShownMarks, TeachResult
from cryopick_ray.runs.teaching import Pupil, Teaching, TeachSettings, learn
from cryopick_ray.settings.cut_settings import CutSettings
from cryopick_ray.settings.run_settings import RunSettings
from cryopick_ray.stages.cut_table import table
from cryopick_ray.stages.pick import pick
from cryopick_ray.store.claim import claimed, local_folder
from cryopick_ray.store.publish import write_whole
from cryopick_ray.training.card import learnt_from
from cryopick_ray.training.recipes.marks import MarksRecipe

USUAL_THRESHOLD = 0.5
"""Of a model that says none."""
MODEL, SUMMARY, TABLE, PICKS = "model.safetensors", "teach.json", "table", "picks"


def teach(
    run: str | Path, out: str | Path, settings: TeachSettings, learning: LearningSettings, events: Events
) -> TeachResult:
    """Teach a run's model what people marked, and pick some micrographs with what comes of it.

    ``out`` then holds ``model.safetensors`` with its card, ``teach.json``, and ``table/`` with the new
    candidates of the micrographs that are shown. A model that held-back marks do not show to be better is not
    kept, and that is said.

    Raises
    ------
    UsageError, ModelError
        If there are too few marks, the run has no store, or its model cannot learn from marks.
    """
    first, folder = RunFolder(local_folder(str(run))), local_folder(str(out)).absolute()
    target = first.settings()
    if not Path(first.store).exists():
        raise UsageError(
            f"{first.where} has no store of micrographs to learn from; go on with it by `resume`"
        )
    pupil = _pupil(target)
    marks = read_marks(first, target, settings.curation)
    for note in marks.notes:
        events.note(note)
    shown = _shown(first, settings.micrographs, marks, events)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is there and not empty; choose another `out`")
    timings = Timings()
    with (
        claimed(folder, settings, [], resume=False),
        open_engine(learning.picking, threads=target.threads) as engine,
    ):
        train_context = means_of(learning, "auto", events)
        teaching = learn(pupil, marks, folder, settings, train_context, timings)
        model = folder / MODEL
        save_model(model, teaching.weights, _card(pupil, marks, teaching, settings))
        with timings.stage("pick"):
            _preview(first, target, folder, shown, engine, events, learning.device)
    outcome = _told(first, folder, pupil, marks, teaching, shown, timings)
    write_whole(folder / SUMMARY, json.dumps(outcome.to_dict(), indent=1) + "\n")
    return outcome


def _pupil(target: RunSettings) -> Pupil:
    """Return the run's model as one that learns from marks."""
    weights, card = starting_model(target.model)
    if card.network != "heatmap" or card.parameters.get("answers") != MOST:
        raise ModelError(
            f"{target.model} does not learn from marks; teach a run of the default `model`, or of another "
            "heat-map network that knows nearness and junk"
        )
    recipe = MarksRecipe(base=card.parameters["base"], particle_px=target.particle_px or card.particle_px)
    own = card.threshold if card.threshold is not None else USUAL_THRESHOLD
    return Pupil(weights, card, recipe, target.threshold if isinstance(target.threshold, float) else own)


def _shown(run: RunFolder, wanted: Sequence[str], marks: Marks, events: Events) -> tuple[str, ...]:
    """Return the ids of the micrographs that are shown: the wanted ones that were picked, or the marked."""
    status = {micrograph.micrograph_id: micrograph.status for micrograph in PickTable(run.table).micrographs}
    if unknown := sorted(set(wanted) - status.keys()):
        raise UsageError(
            f"`micrographs` {few(unknown)}: the run has no such micrograph; expected its table's ids"
        )
    if failed := [name for name in wanted if status[name] != "complete"]:
        events.note(f"{few(failed)}: not picked, so not shown")
    picked = dict.fromkeys(name for name in wanted if status[name] == "complete")
    return tuple(picked) or tuple(row.row.micrograph_id for row in marks.rows)


def _card(pupil: Pupil, marks: Marks, teaching: Teaching, settings: TeachSettings) -> ModelCard:
    """Return the card of what is kept."""
    before = pupil.card
    name = before.name.removesuffix("-taught")
    learned = {
        "trained_on": learnt_from(marks.rows, before.trained_on).model_copy(
            update={
                "note": f"{marks.particles} particles and {marks.wrong} wrong places that a person marked"
            }
        ),
        "digest": weights_digest(teaching.weights),
        "scores": {},
        "date": datetime.now(UTC).date(),
        "limits": f"Taught for one data set; calibrated as {name} is. {before.limits}".strip(),
    }
    return before.model_copy(
        update={
            **(learned if teaching.kept == "taught" else {}),
            "name": f"{name[:93]}-taught" if teaching.kept == "taught" else before.name,
            "source": f"cryopick teach from {before.name}: {teaching.kept}, seed {settings.seed}",
            "particle_px": pupil.recipe.particle_px,
            "threshold": teaching.threshold,
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
    """Pick the micrographs that are shown with what was learned, into a table beside it.

    What people decided is left out: the table tells what the model finds by itself.
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


def _told(
    run: RunFolder,
    folder: Path,
    pupil: Pupil,
    marks: Marks,
    teaching: Teaching,
    shown: Sequence[str],
    timings: Timings,
) -> TeachResult:
    """Return all that is known of a teaching."""
    old, new = PickTable(run.table).of(shown), PickTable(folder / TABLE).of(shown)
    counts = (ShownMarks(name, int(old[name].picked.sum()), int(new[name].picked.sum())) for name in shown)
    after = teaching.after if teaching.kept == "taught" else teaching.before
    return TeachResult(
        model=str(folder / MODEL),
        table=str(folder / TABLE),
        kept=teaching.kept,
        particles=marks.particles,
        wrong=marks.wrong,
        micrographs=len(marks.rows),
        threshold_before=pupil.threshold,
        threshold=teaching.threshold,
        right_before=teaching.before.right(pupil.threshold),
        right=after.right(teaching.threshold),
        in_order_before=teaching.before.in_order,
        in_order=after.in_order,
        unlikeliness_before=teaching.before.unlikeliness(pupil.threshold),
        unlikeliness_at_threshold=teaching.before.unlikeliness(teaching.usual),
        unlikeliness_taught=teaching.after.unlikeliness(teaching.taught_threshold),
        kept_share=teaching.kept_share,
        shown=tuple(counts),
        notes=marks.notes,
        doubts=teaching.doubts,
        seconds=timings.seconds,
    )
