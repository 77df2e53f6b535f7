"""Reports of trainings that never were, one with hostile names, some that lack something."""

from dataclasses import replace

import numpy as np

from cryopick_ray.evaluation.curves import curve
from cryopick_ray.pickers.picker import Candidates
from cryopick_ray.picks.matching import match
from cryopick_ray.store.manifest import ManifestRow
from cryopick_ray.training.data.examples import LabelledRow
from cryopick_ray.training.data.labelled import nowhere
from cryopick_ray.training.loop.loop import Epoch
from cryopick_ray.training.results import ResultLine
from cryopick_ray.training.scored import ScoredMicrograph, ranking, score
from cryopick_ray.training.training_report import (
    TrainingReport,
    scored_thumbnail,
)

EVIL = "<script>alert(1)</script>\"'&"
SHAPE, STORED = (600, 800), (150, 200)
RADIUS_PX = 20.0


def make_tried(seed, name="a.mrc", *, n_truth=30, n_found=25, n_false=12, url="") -> ScoredMicrograph:
    """Particles on a grid, candidates within 5 px of some of them, and false ones far from all."""
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(np.arange(60, 760, 100), np.arange(60, 560, 100)), -1).reshape(-1, 2)
    truth = rng.permutation(grid)[:n_truth].astype(np.float32)
    found = truth[:n_found] + rng.uniform(-5, 5, (n_found, 2))
    false = rng.permutation(grid)[:n_false] + 50.0
    xy = np.concatenate([found, false]).astype(np.float32)
    scores = np.concatenate([rng.normal(1, 1, n_found), rng.normal(-1, 1, n_false)]).astype(np.float32)
    order = np.argsort(-scores, kind="stable")
    x, y, scores = *xy[order].T, scores[order]
    row = ManifestRow(
        micrograph_id=name,
        dataset="10146",
        relion_name=name,
        source=name,
        checksum="crc32c:00000000",
        source_height_px=SHAPE[0],
        source_width_px=SHAPE[1],
        pixel_size_A=1.5,
        height_px=STORED[0],
        width_px=STORED[1],
        shard_bytes=0,
        voltage_kV=None,
        spherical_aberration_mm=None,
        amplitude_contrast=None,
        status="complete",
        reason="",
    )
    source = LabelledRow(url, row, "10146", 60.0, 1.5 * RADIUS_PX, 1, truth, nowhere(), nowhere())
    hits = match(x, y, scores, *truth.T, RADIUS_PX) >= 0
    return ScoredMicrograph(source, Candidates(x, y, scores), hits)


def make_history(n, *, validated=True) -> list[Epoch]:
    return [
        Epoch(e, 2.0 * 0.8**e, 2.5 * 0.82**e if validated else None, 1e-3 / e, 3.0, 400, 2)
        for e in range(1, n + 1)
    ]


def made_report() -> TrainingReport:
    parts = [("validation", [make_tried(0, f"{EVIL}.mrc")]), ("10146", [make_tried(1), make_tried(2)])]
    image = np.random.default_rng(0).normal(size=STORED)
    return TrainingReport(
        title="heatmap of 10146",
        version="0.2.0",
        generated="1 May 2026, 12:00",
        settings={"network": "heatmap", "data": [{"name": "10146", "test": ("a", "b")}], "folds": None},
        history=make_history(12),
        curves=[(name, ranking(scored)) for name, scored in parts],
        lines=[
            ResultLine("", "10146", 2, score(parts[1][1], 0.25)),
            ResultLine("fold 2", "10017", 1, score(parts[0][1], 0.25), overlap=True),
        ],
        threshold=0.25,
        best_epoch=9,
        thumbnails=[scored_thumbnail(name, one, image, 0.25) for name, scored in parts for one in scored],
        seconds={"train": 60.0, "score": 5.0},
    )


NOTHING = curve([], [], 5)
LACKING = [
    {"history": make_history(1), "best_epoch": 1},
    {"history": make_history(5, validated=False), "best_epoch": 5},
    {"history": [replace(one, train_loss=np.nan, validation_loss=np.nan) for one in make_history(3)]},
    {"history": (), "curves": (), "lines": (), "thumbnails": (), "settings": {}, "seconds": {}},
    {"curves": [("validation", NOTHING), ("no labels", curve([1.0], [False], 0))]},
    {"threshold": float("nan")},
    {"threshold": float("-inf")},
    {
        "thumbnails": [
            scored_thumbnail("v", make_tried(0, n_found=0, n_false=0), np.full(STORED, np.nan), 0.0),
            scored_thumbnail("v", make_tried(0, n_truth=0, n_found=0), np.zeros(STORED), -np.inf),
        ]
    },
    {"lines": [ResultLine("", "empty", 1, score([make_tried(0, n_truth=0, n_found=0, n_false=0)]))]},
]
