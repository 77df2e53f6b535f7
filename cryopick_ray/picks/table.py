"""Reading a finished table: one Parquet row a candidate, and an index with one row a micrograph."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cryopick_ray.errors import PicksError, StoreError
from cryopick_ray.micrographs.junk import KINDS, kept_out
from cryopick_ray.picks.columns import COLUMNS, HAND, fields
from cryopick_ray.picks.index import AGAIN, INDEX, dataset_folder, read_index, read_rows
from cryopick_ray.picks.part import TablePart, each, junk_codes, no_picks
from cryopick_ray.picks.reasons import Reasons, Why, marked, none, to_words
from cryopick_ray.picks.schema import PICKS, MicrographPicks
from cryopick_ray.picks.verdict import NO_MICROGRAPH
from cryopick_ray.store.parquet import crc32c
from cryopick_ray.store.place import Place, is_bucket

_READ = pa.schema([*PICKS, *fields(COLUMNS)])
_MAY_LACK = ("unpicked", "junk", *COLUMNS)
_TEXTS = ("dataset", "micrograph_id", "model", "unpicked", "junk")
"""Columns of few different values, which are read as such."""


class PickTable:
    """The table in a folder or a bucket; iterating yields micrographs in its order, in bounded memory."""

    def __init__(self, where: str | Path) -> None:
        place = _place(where)
        data = None if place is None else place.get(INDEX)
        if place is None or data is None:
            raise PicksError(f"{where} is not a table of picks; `cryopick table` makes one of picks")
        self.place = place
        index = read_index(place, data)
        self.micrographs, self.diameter_A, self.made = index.micrographs, index.diameter_A, index.made
        self._parts, self._keep_junk = index.parts, index.keep_junk
        self._strange = {
            micrograph.micrograph_id for micrograph in self.micrographs if micrograph.verdict == NO_MICROGRAPH
        }

    @cached_property
    def digest(self) -> str:
        """What tells it from a table with other picks: its index has the checksums of all parts."""
        return hashlib.sha256(self.place.get(INDEX) or b"").hexdigest()

    def __iter__(self) -> Iterator[MicrographPicks]:
        """Yield every micrograph, those without candidates and failed ones included."""
        found = self._candidates()
        ahead = next(found, None)
        for micrograph in self.micrographs:
            if ahead is not None and ahead[0] == micrograph.micrograph_id:
                (_, part, own), ahead = ahead, next(found, None)
                yield part.picks(micrograph, own, self.diameter_A)
            else:
                yield no_picks(micrograph, self.diameter_A)
        if ahead is not None:
            raise PicksError(f"{self.place.url} has picks of {ahead[0]}, which its index does not list there")

    def of(self, micrograph_ids: Iterable[str]) -> dict[str, MicrographPicks]:
        """Return some micrographs of the table, by id; only parts that hold any of them are read."""
        wanted = set(micrograph_ids)
        own = {
            micrograph.micrograph_id: micrograph
            for micrograph in self.micrographs
            if micrograph.micrograph_id in wanted
        }
        keys = [
            key
            for key, (dataset, first, last) in self._ranges.items()
            if any(one.dataset == dataset and first <= name <= last for name, one in own.items())
        ]
        found: dict[str, MicrographPicks] = {}
        for key in keys:
            part = TablePart(self._part(key))
            for name, some in part:
                if name in own:  # as copies, which do not keep the part
                    picks = part.picks(own[name], some, self.diameter_A)
                    found[name] = picks.take(np.arange(len(picks)))
        if lost := [name for name, one in own.items() if one.candidates and name not in found]:
            raise PicksError(
                f"{self.place.url} lacks the {own[lost[0]].candidates} candidates of {lost[0]} that its "
                f"index counts; {AGAIN}"
            )
        return {name: found.get(name) or no_picks(one, self.diameter_A) for name, one in own.items()}

    @cached_property
    def _ranges(self) -> dict[str, tuple[str, str, str]]:
        """The data set, and the first and the last micrograph, of each part.

        Footers are believed where the index counts candidates: then none that they hide is missed in silence.
        """
        datasets = dict.fromkeys(micrograph.dataset for micrograph in self.micrographs)
        is_counted = all(
            micrograph.candidates is not None
            for micrograph in self.micrographs
            if micrograph.status == "complete"
        )
        found = {}
        for dataset in datasets:
            for key in self._keys(dataset_folder(dataset)):
                ends = _ends(self.place, key) if is_counted else None
                found[key] = dataset, *(ends or self._read_ends(key))
        return found

    def _read_ends(self, key: str) -> tuple[str, str]:
        """Return the same from the rows of a part."""
        names = self._part(key)["micrograph_id"]
        return names[0].as_py(), names[-1].as_py()

    def parts(self) -> Iterator[pa.Table]:
        """Yield the rows of all candidates, a file at a time; of earlier versions, with what they lack."""
        for dataset in dict.fromkeys(m.dataset for m in self.micrographs):
            for key in self._keys(dataset_folder(dataset)):
                rows = self._part(key)
                yield rows.cast(_as_text(rows.schema))

    def _part(self, key: str) -> pa.Table:
        table = read_rows(self.place, key, self._whole(key), _READ, may_lack=_MAY_LACK, texts=_TEXTS)
        if not len(table):
            raise PicksError(f"{self.place.url}/{key} is damaged: it has no rows; {AGAIN}")
        return self._completed(table)

    def _completed(self, table: pa.Table) -> pa.Table:
        """Return the rows of a part with the columns that earlier versions lack."""
        if "junk" not in table.column_names:
            at = table.column_names.index("picked") + 1
            table = table.add_column(at, PICKS.field("junk"), pa.repeat(pa.scalar(KINDS[0]), len(table)))
        if "unpicked" not in table.column_names:
            at = table.column_names.index("picked") + 1
            table = table.add_column(at, PICKS.field("unpicked"), to_words(self._guessed(table)))
        return table

    def _guessed(self, table: pa.Table) -> Reasons:
        """Return why candidates are not picked in a table that does not say it."""
        on_junk = kept_out(each(table["junk"], junk_codes), keep_junk=self._keep_junk)
        strange = pa.array(sorted(self._strange), pa.string())
        is_strange = pc.is_in(table["micrograph_id"].cast(pa.string()), strange).to_numpy()
        picked = table["picked"].to_numpy()
        reasons = marked(none(len(table)), Why.ON_JUNK, on_junk & ~picked)
        reasons = marked(reasons, Why.EXCLUDED_MICROGRAPH, is_strange & ~picked)
        return marked(reasons, Why.BELOW_THRESHOLD, ~picked & (reasons == 0))

    def _candidates(self) -> Iterator[tuple[str, TablePart, slice]]:
        """Yield the micrographs that have candidates: their ids, and where these are."""
        for dataset in dict.fromkeys(m.dataset for m in self.micrographs):
            for key in self._keys(dataset_folder(dataset)):
                part = TablePart(self._part(key))
                yield from ((name, part, own) for name, own in part)

    def _keys(self, folder: str) -> list[str]:
        """Return the keys of a data set's parts, which are those that the index vouches for."""
        found = [
            key
            for key in self.place.find(folder)
            if re.fullmatch(r"part-\d+\.parquet", key.removeprefix(f"{folder}/"))
        ]
        listed = [key for key in self._parts or found if key.startswith(f"{folder}/")]
        if wrong := sorted(set(found) ^ set(listed)):
            verb = "is missing" if wrong[0] in listed else "is not part of this table"
            raise PicksError(f"{self.place.url}/{wrong[0]} {verb}; {AGAIN}")
        return found

    def _whole(self, key: str) -> bytes | None:
        """Return a part that is as it was written."""
        data = self.place.get(key)
        if self._parts and crc32c(data or b"") != self._parts[key]:
            raise PicksError(f"{self.place.url}/{key} is damaged: its checksum is wrong; {AGAIN}")
        return data


def open_table(where: str | Path) -> PickTable:
    """Open a table, or the table of a run, in a folder or a bucket."""
    inside = f"{where}/table"
    place = _place(inside)
    return PickTable(where if place is None or place.size(INDEX) is None else inside)


def recut(picks: Iterable[MicrographPicks], threshold: float) -> Iterator[MicrographPicks]:
    """Yield the same candidates, picked where ``score >= threshold`` and no other reason keeps them out.

    What a person added stays picked, whatever it scores.
    """
    for one in picks:
        others = one.unpicked & ~np.uint16(Why.BELOW_THRESHOLD)
        below = one.score < np.float32(threshold)
        if "source" in one.more:
            below &= one.more["source"] != HAND
        yield replace(one, unpicked=marked(others, Why.BELOW_THRESHOLD, below))


def _ends(place: Place, key: str) -> tuple[str, str] | None:
    """Return the least and the greatest id in a part, as its footer says; ``None`` if it does not."""
    if is_bucket(place.url):
        return None
    try:
        about = pq.read_metadata(Path(place.url, key))
        at = about.schema.names.index("micrograph_id")
        ends = [about.row_group(group).column(at).statistics for group in range(about.num_row_groups)]
        if not all(end.has_min_max for end in ends):
            return None
        return min(end.min for end in ends), max(end.max for end in ends)
    except (pa.ArrowException, OSError, ValueError, TypeError, AttributeError):
        return None


def _as_text(schema: pa.Schema) -> pa.Schema:
    """Return columns whose texts are texts."""
    return pa.schema(
        [one.with_type(pa.string()) if pa.types.is_dictionary(one.type) else one for one in schema]
    )


def _place(where: str | Path) -> Place | None:
    """Return a folder or bucket, or ``None`` if there is no such folder."""
    try:
        return Place(str(where))
    except StoreError:
        if is_bucket(str(where)):
            raise
        return None
