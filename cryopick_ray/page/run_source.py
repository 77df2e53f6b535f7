"""A run's candidates: from its table, and of what is picked since, or was never gathered, from its shards."""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from threading import RLock

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.errors import CryoPickError, PicksError
from cryopick_ray.page.pick_sources import About, table_threshold
from cryopick_ray.picks.coverage import is_stale
from cryopick_ray.picks.digest import CALIBRATED, PROBABILITY, THRESHOLD
from cryopick_ray.picks.gather import gather
from cryopick_ray.picks.index import INDEX
from cryopick_ray.picks.partitions import Partition
from cryopick_ray.picks.schema import MicrographPicks, PickedMicrograph
from cryopick_ray.picks.shard import Coverage
from cryopick_ray.picks.shards import PickShards, digests
from cryopick_ray.picks.table import PickTable
from cryopick_ray.runs.run_folder import RunFolder
from cryopick_ray.settings.filament_settings import picked_spacing_A
from cryopick_ray.settings.run_settings import RunSettings
from cryopick_ray.store.manifest import ManifestRow, read_manifest
from cryopick_ray.store.store import MicrographStore

LOOK_SECONDS = 2.0
"""Between two looks for what is new."""
LIVELY_SECONDS = 300.0
"""A run in which something changed so lately is called at work."""
SHARDS_AT_ONCE = 32
WAITING = "not picked yet"


class RunSource:
    """A run in a folder or a bucket, which may be at work.

    New micrographs come after those that were there, whatever their names: a place in the list stays one
    micrograph's. What only shards hold is cut as the run's settings say, or where its scores suggest it;
    masks of the user count once the table is made.

    Parameters
    ----------
    folder
        Of the run.
    settings
        As its config.yaml has them.
    """

    def __init__(self, folder: RunFolder, settings: RunSettings) -> None:
        self.folder, self.settings = folder, settings
        self.rows: dict[str, ManifestRow] = {}
        self.table: PickTable | None = None
        self.generation = 0
        self._micrographs: list[PickedMicrograph] = []
        self._shards: PickShards | None = None
        self._covered: dict[str, tuple[str, Coverage]] = {}
        self._read_keys: set[str] = set()
        self._in_table: set[str] = set()
        self._state: tuple[object, ...] = ()
        self._cut: tuple[int, float] | None = None
        self._looked, self._grew = -LOOK_SECONDS, -LIVELY_SECONDS
        self._lock = RLock()
        self.refresh()

    @property
    def micrographs(self) -> Sequence[PickedMicrograph]:
        """All micrographs, those that are not picked yet included."""
        return self._micrographs

    @property
    def is_live(self) -> bool:
        """Whether it grew lately, or there is more in its store than in its table."""
        if time.monotonic() - self._grew < LIVELY_SECONDS:
            return True
        waiting = any(
            row.status == "complete" and name not in self._in_table for name, row in self.rows.items()
        )
        return waiting or not self.folder.summary.is_file()

    @property
    def began(self) -> float:
        """When it was begun, or went on, in seconds of the files' clock."""
        return self.folder.config.stat().st_mtime if self.folder.config.is_file() else 0.0

    @property
    def about(self) -> About:
        """What is told of it."""
        described = {} if self._shards is None else self._shards.settings()
        model = str(described.get("model") or self.settings.model)
        calibrated = bool(described.get(CALIBRATED, False))
        return About(Path(self.folder.where).name, "run", model, self.threshold, calibrated)

    @property
    def store(self) -> MicrographStore:
        """Its micrographs."""
        return MicrographStore(self.folder.store)

    @property
    def threshold(self) -> float:
        """Where its scores are cut."""
        return self._own_cut() if self.table is None else table_threshold(self.table)

    @property
    def diameter_A(self) -> float:
        """Of the particle."""
        if self.table is not None and self.table.diameter_A:
            return self.table.diameter_A
        return self.settings.diameter_A or 100.0

    @property
    def spacing_A(self) -> float | None:
        """Between segments of filaments; ``None`` if particles are picked, or nothing yet."""
        return None if self._shards is None else picked_spacing_A(self._shards.settings())

    def refresh(self) -> bool:
        """Look for what is new, not too often; tell whether there is any."""
        with self._lock:
            if time.monotonic() - self._looked < LOOK_SECONDS:
                return False
            self._looked = time.monotonic()
            if (state := self._now()) == self._state:
                return False
            self._grew = time.monotonic() if self._state else self._grew
            self._state = state
            self._open()
            self.generation += 1
            return True

    def look_now(self) -> None:
        """Let the next look for what is new be no sooner than wanted."""
        self._looked = -LOOK_SECONDS

    def of(self, micrograph_ids: Iterable[str]) -> dict[str, MicrographPicks]:
        """Return some micrographs."""
        with self._lock:
            table, wanted = self.table, set(micrograph_ids)
            known = wanted & self._in_table
            found = {} if table is None or not known else table.of(known)
            return found | {one.micrograph.micrograph_id: one for one in self._gathered(wanted - known)}

    def __iter__(self) -> Iterator[MicrographPicks]:
        """Yield all that have candidates."""
        table = self.table
        if table is not None:
            yield from (one for one in table if len(one))
        with self._lock:
            left = [
                name for name, (_, line) in self._covered.items() if line.count and name not in self._in_table
            ]
        for start in range(0, len(left), SHARDS_AT_ONCE):
            yield from self._gathered(left[start : start + SHARDS_AT_ONCE])

    def _now(self) -> tuple[object, ...]:
        """Return what changes when there is something new."""
        parts = MicrographStore(self.folder.store).place.sizes("manifest") if self._has_store() else {}
        index = self.folder.table / INDEX
        stamp = (index.stat().st_mtime_ns, index.stat().st_size) if index.is_file() else None
        digest = self._digest()
        keys = len(PickShards(self.folder.picks, digest).published()) if digest else 0
        return len(parts), stamp, digest, keys

    def _has_store(self) -> bool:
        try:
            MicrographStore(self.folder.store)
        except CryoPickError:
            return False
        return True

    def _digest(self) -> str:
        """Return the digest that the run works on: that of its table, else the one with most shards."""
        try:
            found = digests(self.folder.picks)
        except CryoPickError:
            return ""
        own = set(found) & set(PickTable(self.folder.table).made.of if self._has_table() else ())
        if own:
            return min(own)
        return max(found, key=lambda name: len(PickShards(self.folder.picks, name).published()), default="")

    def _has_table(self) -> bool:
        return (self.folder.table / INDEX).is_file()

    def _open(self) -> None:
        _, _, digest, _ = self._state
        if self._has_store():
            self.rows |= read_manifest(MicrographStore(self.folder.store).place)
        self.table = PickTable(self.folder.table) if self._has_table() else None
        told = (
            {}
            if self.table is None
            else {micrograph.micrograph_id: micrograph for micrograph in self.table.micrographs}
        )
        self._in_table = set(told)
        if digest and (self._shards is None or self._shards.digest != digest):
            self._shards = PickShards(self.folder.picks, str(digest))
            self._covered, self._read_keys = {}, set()
        if set(self.rows) - self._in_table:
            self._cover()
        places = {micrograph.micrograph_id: at for at, micrograph in enumerate(self._micrographs)}
        listed = list(self._micrographs)
        for name in dict.fromkeys([*told, *self.rows]):
            one = told.get(name) or _waiting(self.rows[name], self._covered.get(name))
            if name in places:
                listed[places[name]] = one
            else:
                listed.append(one)
        self._micrographs = listed

    def _cover(self) -> None:
        """Read what new shards cover."""
        if self._shards is None:
            return
        new = [key for key in self._shards.published() if key not in self._read_keys]
        for key, lines in self._shards.coverages(verified=False, keys=new):
            self._read_keys.add(key)
            for line in () if isinstance(lines, PicksError) else lines:
                known = self._covered.get(line.micrograph_id)
                if is_stale(line, self.rows.get(line.micrograph_id)):
                    continue
                if known is None or (known[1].status, line.status) == ("failed", "complete"):
                    self._covered[line.micrograph_id] = key, line

    def _gathered(self, wanted: Iterable[str]) -> Iterator[MicrographPicks]:
        """Yield micrographs from their shards, after the passes that ask for no more than they have."""
        if self._shards is None:
            return
        from cryopick_ray.passes.chain import Pass, made, passes_of
        from cryopick_ray.passes.on_junk import OnJunk
        from cryopick_ray.passes.threshold import AboveCut

        passes: list[Pass] = [OnJunk(self.settings.keep_junk), *passes_of(self.settings.selection)]
        described, by_set = self._shards.settings(), defaultdict(list)
        for name in sorted(set(wanted) & self._covered.keys()):
            by_set[self.rows[name].dataset].append(name)
        for dataset, names in by_set.items():
            about = tuple(_waiting(self.rows[name], self._covered[name]) for name in names)
            keys = tuple(self._covered[name][0] for name in names)
            rows = sum(self._covered[name][1].count for name in names)
            part = Partition(dataset, 0, about, keys, rows)
            cut = AboveCut({dataset: self._own_cut()})
            for one in gather(self._shards, part, float(described["diameter_A"]), str(described["model"])):
                yield made(one, [*passes, cut])

    def _own_cut(self) -> float:
        """Return the cut of what is in no table: as set, the model's own, or found in the first scores."""
        if self.table is not None:
            return table_threshold(self.table)
        if self.settings.threshold != "auto":
            return float(self.settings.threshold)
        described = {} if self._shards is None else self._shards.settings()
        if (own := described.get(THRESHOLD)) is not None:
            return float(own)
        if self._shards is None or not self._read_keys:
            return 0.0
        if self._cut is None or len(self._read_keys) >= 2 * self._cut[0]:
            from cryopick_ray.picks.thresholds import auto_threshold, log_odds_threshold

            score = self._some_scores()
            choose = log_odds_threshold if described.get(PROBABILITY) else auto_threshold
            value = choose(score).value if len(score) else 0.0
            self._cut = len(self._read_keys), value
        return self._cut[1]

    def _some_scores(self) -> NDArray[np.float32]:
        assert self._shards is not None
        keys = sorted(self._read_keys)[:SHARDS_AT_ONCE]
        return np.concatenate([self._shards.read(key)[0]["score"].to_numpy() for key in keys])


def _waiting(row: ManifestRow, covered: tuple[str, Coverage] | None) -> PickedMicrograph:
    """Return a micrograph that is in no table."""
    line = None if covered is None else covered[1]
    is_there = row.status == "complete"
    return PickedMicrograph(
        micrograph_id=row.micrograph_id,
        dataset=row.dataset,
        relion_name=row.relion_name,
        shape=row.source_shape if is_there else None,
        pixel_size_A=row.pixel_size_A if is_there else None,
        optics=row.optics,
        status=row.status if line is None else line.status,
        reason=(row.reason or WAITING) if line is None else line.reason,
        optics_group=row.optics_group,
        listed=row.listed,
        inverted=line is not None and line.inverted,
        mask="" if line is None else line.mask,
        junk_share="" if line is None else line.junk_share,
        candidates=None if line is None else line.count,
    )
