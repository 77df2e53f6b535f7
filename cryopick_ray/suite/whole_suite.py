"""The whole suite: every model on every data set, then the table."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cryopick_ray import __version__
from cryopick_ray.engine.engine import Engine
from cryopick_ray.engine.events import Events
from cryopick_ray.store.claim import claimed, kept_settings
from cryopick_ray.store.publish import write_whole
from cryopick_ray.suite.annotators import agreement
from cryopick_ray.suite.averaged_rows import CaseResult, table_rows
from cryopick_ray.suite.cases import prepare_cases
from cryopick_ray.suite.entrants import entrants
from cryopick_ray.suite.measure_model import SuiteContext, measure
from cryopick_ray.suite.page import render_comparison
from cryopick_ray.suite.results_table import ABOUT, to_markdown, to_text
from cryopick_ray.suite.suite_settings import SuiteSettings, changed_sets, suite_settings


@dataclass(frozen=True)
class SuiteResult:
    """The results of a suite.

    Attributes
    ----------
    folder
        Holds ``suite.md``, ``suite.html``, ``suite.json`` and all picks.
    results
        Each model, seeds apart, on each data set.
    """

    folder: Path
    settings: SuiteSettings
    results: tuple[CaseResult, ...]

    @property
    def failed(self) -> bool:
        """Whether a model failed on a data set, or a micrograph did."""
        return any(result.failure for result in self.results)

    def to_dict(self) -> dict[str, Any]:
        """Return plain dicts, lists, numbers and words, ready for JSON."""
        return {
            "version": __version__,
            "about": ABOUT,
            "rows": [asdict(row) for row in table_rows(self.results)],
            "results": [
                {name: value for name, value in asdict(result).items() if name != "curve"}
                for result in self.results
            ],
            "settings": self.settings.model_dump(mode="json"),
        }

    def text(self) -> str:
        """Return the table for a terminal."""
        made = f"table {self.folder / 'suite.md'}\npage {self.folder / 'suite.html'}"
        return f"{to_text(table_rows(self.results))}\n\n{made}"


@contextmanager
def claim(folder: Path, settings: SuiteSettings, *, resume: bool) -> Iterator[None]:
    """Claim a folder for a suite: an empty one, or one with the same data sets.

    Raises
    ------
    UsageError
        If it holds picks and ``resume`` is not asked for, a data set has changed, or it holds other work.
    """
    began = (folder / "stores").is_dir()
    changed: list[str] = []
    if (folder / "config.yaml").exists():
        old = kept_settings(folder, "suite")
        changed = changed_sets(suite_settings(old), settings) if began else []
    with claimed(folder, settings, changed, resume=resume or not began):
        yield


def run_suite(
    settings: SuiteSettings, folder: Path, engine: Engine, device: str, events: Events
) -> SuiteResult:
    """Measure every model on every data set in a claimed folder; write the tables.

    Simulated micrographs, stores and picks in the folder are not made again. A model that
    fails on a data set is a result with the reason.

    Raises
    ------
    UsageError, ModelError
        If a model or a data set cannot be used at all; nothing was picked then.
    """
    models = entrants(settings)
    cases = prepare_cases(settings, folder, engine, events)
    models_by_case = [(case, [entrant for entrant in models if entrant.meets(case)]) for case in cases]
    context = SuiteContext(folder, engine, device, events)
    for entrant in models:
        if not any(entrant in models_of_case for _, models_of_case in models_by_case):
            events.note(f"{entrant.name}: no data set is of what it finds; it is left out")
    events.stage(
        "suite", sum(len(models_of_case) * len(case.sources) for case, models_of_case in models_by_case)
    )
    results: list[CaseResult] = []
    for case, models_of_case in models_by_case:
        for entrant in models_of_case:
            results_of_model = measure(entrant, case, context)
            results += results_of_model
            for result in results_of_model:
                events.note(_line(result))
        results += [agreement(name, labels, case) for name, labels in case.annotators.items()]
    outcome = SuiteResult(folder, settings, tuple(results))
    write_whole(folder / "suite.json", json.dumps(outcome.to_dict(), indent=1, allow_nan=False))
    write_whole(folder / "suite.md", to_markdown(table_rows(results)))
    write_whole(folder / "suite.html", render_comparison(settings, results))
    return outcome


def _line(result: CaseResult) -> str:
    """Return a progress line with a result."""
    is_scored = result.is_labelled and not result.is_empty
    value = result.measures.get("f1" if is_scored else "false_mean")
    value_text = "-" if value is None else f"{value:.3f}" if is_scored else f"{value:.3g}"
    measure_name = (
        "F1" if is_scored else "false picks a micrograph" if result.is_empty else "picks a micrograph"
    )
    failure = f"; failed: {result.failure}" if result.failure else ""
    return f"{Path(result.seed).stem} on {result.data}: {measure_name} {value_text}{failure}"
