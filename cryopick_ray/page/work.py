"""What a page may start: the run again with its decisions, teachings, trials, files for other programs."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from cryopick_ray.errors import UsageError
from cryopick_ray.page.background_jobs import BackgroundJobs, Step, shown_command
from cryopick_ray.page.cut import Cut, said
from cryopick_ray.page.desk import Desk
from cryopick_ray.page.exported import Export, check_written, new_folder
from cryopick_ray.page.preview import MOST_TRIED, Trial, small_store, trial_commands
from cryopick_ray.page.run_source import RunSource
from cryopick_ray.store.claim import local_folder

EXPORTED, TAUGHT = "exported", "taught"


class Work:
    """Starts what a page asks for.

    Parameters
    ----------
    desk
        What lies on the page.
    private
        Folder of what is gone when the page ends.
    """

    def __init__(self, desk: Desk, private: Path) -> None:
        self.desk, self.private, self.jobs = desk, private, BackgroundJobs()
        self._trials = self._teachings = 0
        self._taught: Path | None = None

    def close(self) -> None:
        """End what goes on."""
        self.jobs.close()

    def commands(self) -> dict[str, str]:
        """Return the commands that a person may type instead, by what they do."""
        if self.desk.opened.run is None:
            return {}
        found = {"apply": shown_command(self._apply_words(Cut()))}
        if self._taught is not None:
            found["pick all with what was taught"] = shown_command(self._again_words(self._taught))
        return found

    def apply(self, cut: Cut) -> str:
        """Let the run go on with all decisions, cut anew where a cut is given; return the job's number."""
        words = self._apply_words(cut)
        averages = self.desk.averages
        if averages is not None and averages.is_changed:
            averages.write_csv()
        return self.jobs.run("apply", [Step(words, self.desk.look_again)], alone=True)

    def preview(self, places: Sequence[int], trials: Sequence[Trial]) -> str:
        """Pick a few micrographs with other settings; their picks become sources."""
        run = self._run()
        if not 1 <= len(trials) <= MOST_TRIED:
            raise UsageError(f"{len(trials)} settings to try, expected 1 to {MOST_TRIED}")
        wanted = [(trial, trial.settings(run.settings)) for trial in trials]
        out = self._folder()
        rows = [run.rows[self.desk.micrograph(place).micrograph_id] for place in dict.fromkeys(places)]
        small_store(run.store, rows, out / "store.zarr")
        steps = []
        for number, (trial, settings) in enumerate(wanted):
            settings = settings.model_copy(update={"diameter_A": settings.diameter_A or run.diameter_A})
            pick, table = trial_commands(settings, out / "store.zarr", out / str(number))
            show = partial(self.desk.show_beside, trial.name, str(out / str(number) / "table"))
            steps += [Step(pick), Step(table, show)]
        return self.jobs.run("preview", steps)

    def teach(self, places: Sequence[int]) -> str:
        """Teach the run's model what people marked; what it then finds becomes a source."""
        run = self._run()
        out = new_folder(local_folder(run.folder.where), TAUGHT, "model")
        ids = [self.desk.micrograph(place).micrograph_id for place in dict.fromkeys(places)]
        words = ["teach", run.folder.where, *said("out", out), *said("engine", "serial")]
        words += [*self._curation_words(), *(word for name in ids for word in said("micrographs", name))]

        def show() -> None:
            self._teachings += 1
            self.desk.show_beside(f"taught {self._teachings}", str(out / "table"))
            self._taught = out / "model.safetensors"

        return self.jobs.run("teach", [Step(words, show)])

    def export(self, format: str, cut: Cut) -> str:
        """Write the picks as people decided in another program's format."""
        desk, run = self.desk, self.desk.opened.run
        check_written(format)
        out = new_folder(desk.judgement.folder.parent, EXPORTED, format)
        write = Export(format, cut, out)
        if run is not None:
            write = replace(
                write,
                relion_project=run.folder.relion_project(run.settings),
                optics=run.settings.optics.completed,
            )
        table = "" if run is None else run.folder.where
        command = shown_command(["export", table, *said("format", format), *cut.words()]) if table else ""
        return self.jobs.do(
            "export",
            command,
            lambda job: write(desk.shown[0], desk.micrographs, desk.judgement, desk.opened.diameter_A, job),
        )

    def _apply_words(self, cut: Cut) -> list[str]:
        where = self._run().folder.where
        words = ["run", *said("out", where), *said("resume"), *cut.words(), *self._curation_words()]
        averages = self.desk.averages
        if averages is not None and averages.is_changed:
            words += said("classes", averages.csv)
        return words

    def _again_words(self, model: Path) -> list[str]:
        """Return a new run of the same micrographs with another model."""
        folder = self._run().folder
        out = f"{folder.where}-{model.parent.name}"
        words = ["run", *said("config", folder.config), *said("model", model), *said("out", out)]
        return [*words, *self._curation_words()]

    def _curation_words(self) -> list[str]:
        judgement = self.desk.judgement
        files = (*judgement.applied.elsewhere, judgement.folder)
        return [word for path in files for word in said("curation", path)]

    def _folder(self) -> Path:
        """Return a new folder that is gone when the page ends."""
        self._trials += 1
        made = self.private / str(self._trials)
        made.mkdir()
        return made

    def _run(self) -> RunSource:
        if self.desk.opened.run is None:
            raise UsageError("only a run can go on: open one as the first source")
        return self.desk.opened.run
