"""What a page over 10,000 micrographs with 10 million candidates costs: first picture, counts, memory.

A folder like a run's is made: a store of 64 different images that all micrographs share, and a table. The
page is then served as a person has it, in a process of its own, and asked over HTTP.
"""

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from cryopick_ray.micrographs.normalised_image import NormalisedImage
from cryopick_ray.picks.index import TableHistory
from cryopick_ray.picks.schema import MicrographPicks, PickedMicrograph
from cryopick_ray.picks.write_table import write_table
from cryopick_ray.settings.config import to_yaml
from cryopick_ray.settings.run_settings import RunSettings
from cryopick_ray.store.layout import SHARD, array_key
from cryopick_ray.store.manifest import ManifestRow, publish_part
from cryopick_ray.store.store import MicrographStore

IMAGES, SIDE_PX, SOURCE_PX, PIXEL_SIZE_A, DIAMETER_A = 64, 512, 4096, 1.0, 150.0
PART = 64
THRESHOLD = 0.5


def make(folder: Path, micrographs: int, each: int) -> None:
    """Make a folder like a run's."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    settings = RunSettings(inputs=(str(folder / "nowhere"),), diameter_A=DIAMETER_A)
    (folder / "config.yaml").write_text(to_yaml(settings))
    (folder / "summary.json").write_text("{}")
    store = MicrographStore(str(folder / "store.zarr"), create=True)
    names = [
        f"Micrographs/FoilHole_{number:05d}_patch_aligned_doseweighted.mrc" for number in range(micrographs)
    ]
    rows = []
    for number, name in enumerate(names):
        if number < IMAGES:
            shape = (SIDE_PX, SIDE_PX)
            noise = rng.normal(size=shape) + 4 * rng.normal(size=(32, 32)).repeat(16, 0).repeat(16, 1)
            size = store.write(name, NormalisedImage(noise.astype(np.float32), 0.0, 1.0))
        else:
            target = folder / "store.zarr" / array_key(name) / SHARD
            target.parent.mkdir(parents=True)
            os.link(folder / "store.zarr" / array_key(names[number % IMAGES]) / SHARD, target)
            size = target.stat().st_size
        rows.append(_row(name, size))
    for start in range(0, len(rows), PART):
        publish_part(store.place, rows[start : start + PART])
    made = TableHistory(thresholds={"Micrographs": {"value": THRESHOLD, "method": "given", "doubt": ""}})
    write_table(_picks(rows, each, rng), folder / "table", made)


def _row(name: str, shard_bytes: int) -> ManifestRow:
    return ManifestRow(
        name, "Micrographs", name, f"/nowhere/{name}", "crc32c:00000000", SOURCE_PX, SOURCE_PX, PIXEL_SIZE_A,
        SIDE_PX, SIDE_PX, shard_bytes, 300.0, 2.7, 0.1, "complete", "",
    )  # fmt: skip


def _picks(rows: list[ManifestRow], each: int, rng: np.random.Generator) -> Iterator[MicrographPicks]:
    for row in rows:
        n = int(rng.poisson(each))
        place = rng.uniform(0, SOURCE_PX - 1, (2, n)).astype(np.float32)
        score = rng.beta(0.5, 0.7, n).astype(np.float32)
        unpicked = np.where(score < THRESHOLD, 1, 0).astype(np.uint16)
        unpicked[rng.random(n) < 0.03] |= 2
        about = PickedMicrograph(
            row.micrograph_id, row.dataset, row.relion_name, row.source_shape, PIXEL_SIZE_A, row.optics,
            "complete", "", candidates=n, picks=int((unpicked == 0).sum()),
            mean_score=float(score[unpicked == 0].mean()), verdict="good",
        )  # fmt: skip
        size = rng.normal(DIAMETER_A, 15, n).astype(np.float32)
        made = MicrographPicks(
            about, place[0], place[1], score, unpicked, DIAMETER_A,
            junk=((unpicked & 2) != 0).astype(np.uint8), more={"size_A": size}, model="made",
        )  # fmt: skip
        yield replace(made)


class Served:
    """A page in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self._began = time.perf_counter()
        command = [sys.executable, "-m", "cryopick_ray", "view", str(folder), "--no-browser", "--by", "bench"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if found := re.search(r"http://\S+/", line):
                self.url = found[0]
                break
        self.seconds_to_start = self.since()

    def since(self) -> float:
        """Return the seconds since it was started."""
        return time.perf_counter() - self._began

    def get(self, path: str) -> bytes:
        """Return what the page answers."""
        with urllib.request.urlopen(self.url + path, timeout=60) as answer:
            return bytes(answer.read())

    def cpu_seconds(self) -> float:
        """Return the time that its threads ran, which others on the machine do not prolong much."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_MiB(self) -> tuple[int, int]:
        """Return the memory that it has, and the most it had."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        now, most = (int(re.search(rf"{name}:\s+(\d+)", status)[1]) for name in ("VmRSS", "VmHWM"))  # type: ignore[index]
        return now // 1024, most // 1024


def timed(served: Served, path: str) -> float:
    """Return the milliseconds of a request."""
    began = time.perf_counter()
    served.get(path)
    return 1000 * (time.perf_counter() - began)


def measure(folder: Path) -> dict[str, object]:
    """Serve the page and ask it."""
    shutil.rmtree(folder / "curation", ignore_errors=True)
    served = Served(folder)
    try:
        served.get("api/about")
        listing = served.get("api/micrographs")
        level = json.loads(served.get("api/pyramid/0"))["max_level"] - 3
        served.get(f"api/tile/plain/0/{level}/0_0.jpg")
        first, cpu = served.since(), served.cpu_seconds()
        served.get("api/candidates/0/0")
        with_picks, before = served.since(), served.memory_MiB()
        rng = np.random.default_rng(1)
        n = len(json.loads(listing)["columns"]["id"])
        some = rng.integers(0, n, 40).tolist()
        far = [timed(served, f"api/candidates/0/{one}") for one in some]
        while not json.loads(served.get("api/histogram"))["ready"]:
            time.sleep(0.2)
        counted, after = served.since(), served.memory_MiB()
        cuts = rng.uniform(0.1, 0.9, 40).tolist()
        plain = [timed(served, f"api/counts?threshold={cut}") for cut in cuts]
        sized = [timed(served, f"api/counts?threshold={cut}&smallest_A=120&largest_A=180") for cut in cuts]
        thumbnails = [timed(served, f"api/thumbnail/{one}.jpg") for one in some]
        decisions = [_decide(served, one) for one in some]
        listings = [timed(served, "api/micrographs") for _ in range(5)]
        for integer in rng.integers(0, n, 200).tolist():
            served.get(f"api/candidates/0/{integer}")
            served.get(f"api/tile/plain/{integer}/{level}/0_0.jpg")
            served.get(f"api/tile/denoised/{integer}/{level}/0_0.jpg")
        return {
            "micrographs": n,
            "listing_kB": len(listing) // 1000,
            "s_to_address": round(served.seconds_to_start, 2),
            "s_to_first_picture": round(first, 2),
            "cpu_s_to_first_picture": round(cpu, 2),
            "s_to_first_picks": round(with_picks, 2),
            "s_until_counted": round(counted, 1),
            "ms_counts": _told(plain),
            "ms_counts_by_size": _told(sized),
            "ms_candidates_anywhere": _told(far),
            "ms_thumbnail": _told(thumbnails),
            "ms_decision": _told(decisions),
            "ms_listing": _told(listings),
            "MiB_at_first_picture": before[0],
            "MiB_counted, most": after,
            "MiB_after_200_micrographs, most": served.memory_MiB(),
        }
    finally:
        served.process.terminate()
        served.process.wait()


def _decide(served: Served, place: int) -> float:
    """Return the milliseconds until a decision is kept and the micrograph's candidates are back."""
    body = {"micrograph": place, "rows": [{"action": "add", "x_px": 100.0, "y_px": 100.0}]}
    request = urllib.request.Request(
        f"{served.url}api/decisions", json.dumps(body).encode(), {"content-type": "application/json"}
    )
    began = time.perf_counter()
    with urllib.request.urlopen(request, timeout=60) as answer:
        answer.read()
    return 1000 * (time.perf_counter() - began)


def _told(values: list[float]) -> str:
    return f"median {statistics.median(values):.0f}, most {max(values):.0f}"


def main(
    folder: Annotated[Path, typer.Argument(help="Made unless it is there, and kept.")],
    micrographs: Annotated[int, typer.Option()] = 10_000,
    each: Annotated[int, typer.Option(help="Candidates of a micrograph, about.")] = 1000,
) -> None:
    """Measure a page and print what came of it."""
    if not folder.exists():
        make(folder, micrographs, each)
    typer.echo(json.dumps(measure(folder), indent=1))


if __name__ == "__main__":
    typer.run(main)
