"""A study: several networks, each taught without each part of the same data in turn; one table of all."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from cryopick_ray.engine.engine import Engine
from cryopick_ray.engine.events import Events
from cryopick_ray.errors import UsageError, brief
from cryopick_ray.settings.base import Settings
from cryopick_ray.settings.config import over
from cryopick_ray.store.claim import kept_settings
from cryopick_ray.training.experiment import carry_out, plan_training
from cryopick_ray.training.study_table import StudyOutcome, StudyRow
from cryopick_ray.training.train_model import TrainContext
from cryopick_ray.training.training_folder import TrainingFolder, changed
from cryopick_ray.training.training_settings import TrainSettings, train_settings

Asked = Literal["auto", "float32", "bfloat16"]
"""A precision, as settings ask for it."""


class StudySettings(Settings):
    """Everything that a study needs.

    Attributes
    ----------
    networks
        Each network's training by the network's name.
    """

    networks: Annotated[dict[str, TrainSettings], Field(min_length=1)]


def study_settings(data: Mapping[str, Any]) -> StudySettings:
    """Check plain data, or raise :class:`UsageError` naming every wrong value.

    Parameters
    ----------
    data
        ``networks``: what is different for each, by its name; everything else is the same for all.
    """
    common = {name: value for name, value in data.items() if name != "networks"}
    given = data.get("networks")
    if not isinstance(given, Mapping) or not given:
        raise UsageError(
            f"networks is {brief(given)}; expected what is different for each network, by its name, such as "
            "{heatmap: {}, topaz: {batch: 128}}"
        )
    if "network" in common:
        raise UsageError(f"network is {brief(common['network'])} beside networks; leave one of the two out")
    made = {}
    for name, own in given.items():
        own = own or {}
        if (said := own.get("network", name)) != name:
            raise UsageError(f"networks.{name} has the network {brief(said)}; leave its `network` out")
        try:
            made[str(name)] = train_settings(over(common, {**own, "network": str(name)}))
        except UsageError as error:
            raise UsageError(f"networks.{name}: {error}") from error
    return StudySettings(networks=made)


class StudyFolder(TrainingFolder):
    """A study's ``DIR``: config.yaml simulated/ stores/ NETWORK/without-PART/, and the table as study.*."""

    def _changes(self, settings: Settings) -> list[str]:
        """Networks may come and go; what and how one learns may not change."""
        assert isinstance(settings, StudySettings)
        old, new = study_settings(kept_settings(self.path, "study")).networks, settings.networks
        return [
            f"networks.{name}.{line}" for name in new if name in old for line in changed(old[name], new[name])
        ]


def run_study(
    settings: StudySettings,
    folder: Path,
    engine: Engine,
    means_for: Callable[[Asked], TrainContext],
    events: Events,
) -> StudyOutcome:
    """Teach every network in a claimed folder; what was finished there is not done again.

    The table is written anew after every training, so that a study can be looked at while it goes on.

    Parameters
    ----------
    means_for
        Returns what trainings are run with, by the precision that their settings ask for.

    Raises
    ------
    UsageError
        If settings, labels or splits of any network are wrong; nothing was trained then.
    """
    plans = {name: plan_training(own, folder, engine, events) for name, own in settings.networks.items()}
    rows: list[StudyRow] = []
    outcome = StudyOutcome(folder, ())
    for number, (name, plan) in enumerate(plans.items(), 1):
        events.note(f"{name}, network {number} of {len(plans)}: {len(plan.parts)} trainings")
        for one in carry_out(plan, folder / name, means_for(plan.settings.precision)):
            rows.append(StudyRow.of(name, one))
            outcome = StudyOutcome(folder, tuple(rows))
            outcome.write(settings)
    return outcome
