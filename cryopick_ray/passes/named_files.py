"""Files that a selection names: readable before there is work done for them, and heeded after it."""

from cryopick_ray.passes.bad_classes import read_classes, unmet
from cryopick_ray.passes.decision_files import read_rows
from cryopick_ray.passes.unheeded import unheeded
from cryopick_ray.picks.table import PickTable
from cryopick_ray.settings.selection_settings import SelectionSettings


def check_files(selection: SelectionSettings) -> None:
    """Refuse files that cannot be read.

    Raises
    ------
    UsageError
        Naming the file, the line and what was expected.
    """
    read_rows(selection.curation)
    for path in selection.classes:
        read_classes(path)


def left_over(selection: SelectionSettings, table: PickTable) -> list[str]:
    """Return what of the files changed nothing in a table that was made with them."""
    return [*unheeded(selection.curation, table), *unmet(selection.classes, table)]
