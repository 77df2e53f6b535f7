"""Which micrographs a report pictures."""

from cryopick_ray.picks.judged import worst_first
from cryopick_ray.picks.table import PickTable
from cryopick_ray.report.thumbnails import choose_thumbnails

SHOWN, WRONG_SHOWN = 12, 6
"""Micrographs pictured in the report, and how many of them because something is wrong."""


def pictured(table: PickTable) -> list[str]:
    """Return the ids of the micrographs that the report pictures: some of what is wrong, then of all."""
    wrong = [one.micrograph_id for one in worst_first(table.micrographs) if one.verdict != "good"]
    first = wrong[:WRONG_SHOWN]
    ids, counts = [], []
    for one in table:
        if one.micrograph.status == "complete" and one.micrograph.micrograph_id not in first:
            ids.append(one.micrograph.micrograph_id)
            counts.append(int(one.picked.sum()))
    return first + [ids[index] for index in choose_thumbnails(counts, SHOWN - len(first))]
