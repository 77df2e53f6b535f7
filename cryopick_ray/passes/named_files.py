"""Files that a selection names: checked before the work, and compared with its outcome after it."""

from cryopick_ray.passes.bad_classes import read_classes, unmet
from cryopick_ray.passes.decision_files import read_rows
from cryopick_ray.passes.unused_decisions import unused_decisions
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


def unused_parts(selection: SelectionSettings, table: PickTable) -> list[str]:
    """Return notes on parts of the files that changed nothing in a table made with them."""
    return [*unused_decisions(selection.curation, table), *unmet(selection.classes, table)]
