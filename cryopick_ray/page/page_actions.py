"""Jobs that a page starts: apply decisions to the run, teach, preview settings, export."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from cryopick_ray.errors import UsageError
from cryopick_ray.page.background_jobs import BackgroundJobs, Step, shown_command
from cryopick_ray.page.page_cut import PageCut, option_words
from cryopick_ray.page.page_session import PageSession
from cryopick_ray.page.picks_export import PicksExport, check_written, new_folder
from cryopick_ray.page.preview import MOST_TRIED, TrialSettings, small_store, trial_commands
from cryopick_ray.page.run_source import RunSource
from cryopick_ray.store.claim import local_folder

EXPORTED, TAUGHT = "exported", "taught"


class PageActions:
    """Starts the jobs of a page.

    Parameters
    ----------
    session
        The page's state.
    private
        Temporary folder, removed when the page ends.
    """

    def __init__(self, session: PageSession, private: Path) -> None:
        self.session, self.private, self.jobs = session, private, BackgroundJobs()
        self._trials = self._teachings = 0
        self._taught: Path | None = None

    def close(self) -> None:
        """Stop all jobs."""
        self.jobs.close()

    def commands(self) -> dict[str, str]:
        """Return equivalent command lines, by action."""
        if self.session.opened.run is None:
            return {}
        commands = {"apply": shown_command(self._apply_words(PageCut()))}
        if self._taught is not None:
            commands["pick all with what was taught"] = shown_command(self._again_words(self._taught))
        return commands

    def apply(self, cut: PageCut) -> str:
        """Resume the run with all decisions and the given cut; return the job's number."""
        words = self._apply_words(cut)
        averages = self.session.averages
        if averages is not None and averages.is_changed:
            averages.write_csv()
        return self.jobs.run("apply", [Step(words, self.session.refresh_now)], alone=True)

    def preview(self, indices: Sequence[int], trials: Sequence[TrialSettings]) -> str:
        """Pick a few micrographs with other settings; the picks are shown as sources."""
        run = self._run()
        if not 1 <= len(trials) <= MOST_TRIED:
            raise UsageError(f"{len(trials)} settings to try, expected 1 to {MOST_TRIED}")
        wanted = [(trial, trial.settings(run.settings)) for trial in trials]
        out = self._folder()
        rows = [run.rows[self.session.micrograph(index).micrograph_id] for index in dict.fromkeys(indices)]
        small_store(run.store, rows, out / "store.zarr")
        steps = []
        for number, (trial, settings) in enumerate(wanted):
            settings = settings.model_copy(update={"diameter_A": settings.diameter_A or run.diameter_A})
            pick, table = trial_commands(settings, out / "store.zarr", out / str(number))
            show = partial(self.session.show_beside, trial.name, str(out / str(number) / "table"))
            steps += [Step(pick), Step(table, show)]
        return self.jobs.run("preview", steps)

    def teach(self, indices: Sequence[int]) -> str:
        """Train the run's model on marked places; its picks are shown as a source."""
        run = self._run()
        out = new_folder(local_folder(run.folder.where), TAUGHT, "model")
        ids = [self.session.micrograph(index).micrograph_id for index in dict.fromkeys(indices)]
        words = ["teach", run.folder.where, *option_words("out", out), *option_words("engine", "serial")]
        words += [
            *self._curation_words(),
            *(word for name in ids for word in option_words("micrographs", name)),
        ]

        def show() -> None:
            self._teachings += 1
            self.session.show_beside(f"taught {self._teachings}", str(out / "table"))
            self._taught = out / "model.safetensors"

        return self.jobs.run("teach", [Step(words, show)])

    def export(self, format: str, cut: PageCut) -> str:
        """Write the picks, with decisions applied, in another program's format."""
        session, run = self.session, self.session.opened.run
        check_written(format)
        out = new_folder(session.decisions.folder.parent, EXPORTED, format)
        write = PicksExport(format, cut, out)
        if run is not None:
            write = replace(
                write,
                relion_project=run.folder.relion_project(run.settings),
                optics=run.settings.optics.completed,
            )
        table = "" if run is None else run.folder.where
        command = (
            shown_command(["export", table, *option_words("format", format), *cut.words()]) if table else ""
        )
        return self.jobs.do(
            "export",
            command,
            lambda job: write(
                session.shown[0], session.micrographs, session.decisions, session.opened.diameter_A, job
            ),
        )

    def _apply_words(self, cut: PageCut) -> list[str]:
        where = self._run().folder.where
        words = [
            "run",
            *option_words("out", where),
            *option_words("resume"),
            *cut.words(),
            *self._curation_words(),
        ]
        averages = self.session.averages
        if averages is not None and averages.is_changed:
            words += option_words("classes", averages.csv)
        return words

    def _again_words(self, model: Path) -> list[str]:
        """Return the command of a new run on the same micrographs with another model."""
        folder = self._run().folder
        out = f"{folder.where}-{model.parent.name}"
        words = [
            "run",
            *option_words("config", folder.config),
            *option_words("model", model),
            *option_words("out", out),
        ]
        return [*words, *self._curation_words()]

    def _curation_words(self) -> list[str]:
        decisions = self.session.decisions
        files = (*decisions.applied.elsewhere, decisions.folder)
        return [word for path in files for word in option_words("curation", path)]

    def _folder(self) -> Path:
        """Return a new temporary folder."""
        self._trials += 1
        folder = self.private / str(self._trials)
        folder.mkdir()
        return folder

    def _run(self) -> RunSource:
        if self.session.opened.run is None:
            raise UsageError("only a run can go on: open one as the first source")
        return self.session.opened.run
