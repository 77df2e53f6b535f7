"""Pick tables made from a few random picks."""

from dataclasses import replace

import numpy as np

from cryopick_ray.passes.build import TableSettings, build_table
from cryopick_ray.pickers.picker import Candidates
from cryopick_ray.picks.shard import Picked
from cryopick_ray.picks.shards import PickShards
from cryopick_ray.picks.thresholds import Threshold
from cryopick_ray.store.manifest import ManifestRow

SETTINGS = TableSettings(diameter_A=150.0, model="log", digest="d")


def manifest(picked, failed=()):
    rows = {}
    for name in [*(p.micrograph_id for p in picked), *failed]:
        rows[name] = ManifestRow(
            micrograph_id=name,
            dataset=name.partition("/")[0],
            relion_name=f"Micrographs/{name}",
            source=f"/data/{name}",
            checksum="crc",
            source_height_px=1000,
            source_width_px=2000,
            pixel_size_A=1.5,
            height_px=100,
            width_px=200,
            shard_bytes=1,
            voltage_kV=200.0 if name.startswith("s1") else None,
            spherical_aberration_mm=1.4 if name.startswith("s1") else None,
            amplitude_contrast=0.07 if name.startswith("s1") else None,
            status="failed" if name in failed else "complete",
            reason="torn" if name in failed else "",
        )
    return rows


def some_picks(count=9, seed=0):
    rng = np.random.default_rng(seed)
    picked = []
    for number in range(count):
        n = int(rng.integers(0, 40)) if number % 4 else 0
        x, y = rng.integers(0, 30, (2, n)).astype(np.float32)
        score = rng.integers(-3, 4, n).astype(np.float32)  # plenty of ties
        picked.append(Picked(f"s{number % 2}/{number:02d}.mrc", "crc", Candidates(x, y, score)))
    return [*picked, Picked("s0/bad.mrc", "crc", None, "not finite")]


def build(tmp_path, name, picked, size, *, threshold=0.0, failed=(), selection=None, **how):
    shards = PickShards(str(tmp_path / f"{name}.picks"), "d", create=True)
    for start in range(0, len(picked), size):
        shards.publish(picked[start : start + size])
    out = tmp_path / f"{name}.table"
    cut = None if threshold is None else Threshold(threshold, "given")
    own = SETTINGS if selection is None else replace(SETTINGS, selection=selection)
    build_table(shards, manifest(picked, failed), out, settings=own, threshold=cut, **how)
    return out


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }
