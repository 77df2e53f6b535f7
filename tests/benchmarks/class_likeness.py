"""Learns how classes of particles differ from classes of junk, on simulated sets, and how often that errs.

``class_likeness.py make DIR [NAME...]`` simulates each set of SETS, cuts true particles and junk out of it,
classifies them with their CTF and without, and keeps the measures and the truth of every class in
``DIR/NAME.json`` and ``DIR/NAME-without-ctf.json``.
``class_likeness.py fit DIR`` learns the rule from the sets of LEARNT, tries it on those of HELD_OUT, other
molecules with other seeds, and prints what the package keeps as ``likeness.json``.
"""

import json
import sys
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pandas as pd
import scipy.optimize
import starfile

from cryopick_ray.engine.events import SilentEvents
from cryopick_ray.engine.serial import SerialEngine
from cryopick_ray.particles.classes.class_quality import measure
from cryopick_ray.particles.classes.classification import classify, clear
from cryopick_ray.particles.classes.classification_settings import ClassSettings
from cryopick_ray.particles.classes.schedule import ClassPlan
from cryopick_ray.particles.particle_star import read_particles
from cryopick_ray.simulate.library import load_molecule
from cryopick_ray.simulate.simulation import simulate_all
from cryopick_ray.simulate.simulation_settings import simulation_settings

LEARNT = (
    *("betagal", "p97", "ribosome-50s", "fatty-acid-synthase", "rubisco", "polymerase-like", "ring"),
    *("triple-ring", "capsid", "tripod"),
)
HELD_OUT = (
    *(
        "proteasome-20s",
        "ribosome-70s",
        "clpb",
        "antibody",
        "small-shell",
        "lock-washer",
        "proteasome-capped",
    ),
    "ribosome-30s",
)
DEFOCUS = ("rlnDefocusU", "rlnDefocusV", "rlnDefocusAngle")
WITHOUT = "-without-ctf"
WAYS = ("", WITHOUT)
"""What nothing is known of the CTF of looks otherwise: each set is learnt from in both ways."""
BOX_PX, DIAMETERS_PER_BOX = 56, 1.5
CLASSES, MOST_PARTICLES = (8, 12, 16, 24), 700
MEASURES = (
    *("details", "agreement", "log_snr", "log_contrast", "off_centre", "at_edge", "brightness"),
    *("lumpiness", "roundness", "probability", "wander"),
)
SOILED = {
    "carbon": {"probability": 0.4},
    "specks": {"probability": 0.6},
    "blobs": {"probability": 0.3},
    "crystals": {"probability": 0.3},
    "flakes": {"probability": 0.3},
    "halos": {"probability": 0.3},
    "texture": {"probability": 0.2},
    "chains": {"probability": 0.2},
    "strands": {"probability": 0.2},
}


def make(folder: Path, name: str, seed: int) -> None:
    """Simulate a set, classify it with its CTF and without, and keep measures and truth of its classes."""
    molecule = load_molecule(name)
    pixel_size_A = DIAMETERS_PER_BOX * molecule.diameter_A / BOX_PX
    given = {
        "molecules": [name],
        "micrographs": 6,
        "seed": seed,
        "pixel_size_A": pixel_size_A,
        "height_px": 1024,
        "width_px": 1024,
        "contamination": SOILED,
    }
    out = folder / name
    simulate_all(simulation_settings(given), out / "sim", SerialEngine(), SilentEvents(), store_url=None)
    rng = np.random.default_rng(seed)
    truth = cut_out(out, pixel_size_A, molecule.diameter_A, rng)
    classes = int(rng.choice(CLASSES))
    blocks = starfile.read(out / "particles.star")
    blocks["particles"] = blocks["particles"].drop(columns=list(DEFOCUS))
    starfile.write(blocks, out / f"particles{WITHOUT}.star", overwrite=True)
    for way in WAYS:
        settings = ClassSettings(
            particles=out / f"particles{way}.star",
            classes=classes,
            diameter_A=1.15 * molecule.diameter_A,
            seed=seed,
        )
        rows = measured(settings, out / f"classes{way}", truth)
        (folder / f"{name}{way}.json").write_text(json.dumps(rows))
        share = np.round(rows["true_share"], 2).tolist()
        sys.stdout.write(f"{name}{way} {len(truth)} true {truth.mean():.2f} {share}\n")
        sys.stdout.flush()


def measured(settings: ClassSettings, out: Path, truth: np.ndarray) -> dict[str, list[float]]:
    """Classify a set; return the measures of its classes, and the share of true particles in each."""
    particles = read_particles(settings.particles)
    plan = ClassPlan(settings, len(particles), particles.box_px, particles.pixel_size_A)
    found = classify(plan, out, SerialEngine(), SilentEvents(), "cpu")
    rows = measure(plan, found.halves, found.noise, found.label, found.shift_A, found.probability)
    clear(out)
    share = np.bincount(found.label, truth, settings.classes) / np.maximum(rows.particles, 1)
    return {key: values.tolist() for key, values in rows.table().items()} | {"true_share": share.tolist()}


def cut_out(out: Path, pixel_size_A: float, diameter_A: float, rng: np.random.Generator) -> np.ndarray:
    """Cut true particles, a few pixels off, and junk out of micrographs; return ``(n,)`` which are true."""
    images, rows, truth = [], [], []
    share = rng.uniform(0.2, 0.6)
    for path in sorted((out / "sim/micrographs").glob("*.mrc")):
        with mrcfile.open(path, permissive=True) as file:
            pixels = np.array(file.data, np.float32)
        true, decoys = (places(out / "sim" / kind / f"{path.stem}.star") for kind in ("truth", "decoys"))
        if not len(true):
            continue  # and nothing tells the defocus
        with mrcfile.open(out / "sim/masks" / path.name, permissive=True) as file:
            soiled = np.argwhere(np.array(file.data) > 0)[:, ::-1]
        anywhere = rng.uniform(0, pixels.shape[0], (60, 2))
        on_junk = soiled[rng.integers(0, len(soiled), 60)] if len(soiled) else soiled[:0]
        away_xy = np.concatenate([anywhere, on_junk])
        gap = np.sqrt(((away_xy[:, None] - true[None, :, :2]) ** 2).sum(axis=2)).min(axis=1)
        away_xy = away_xy[gap > 0.6 * diameter_A / pixel_size_A]
        kept = rng.permutation(len(true))[: MOST_PARTICLES // 6]
        junk = np.concatenate([decoys[:, :2], away_xy])
        junk = junk[rng.permutation(len(junk))[: int(len(kept) * share / (1 - share)) + 5]]
        defocus = pd.DataFrame(
            starfile.read(out / "sim/truth" / f"{path.stem}.star", always_dict=True)["particles"]
        )
        u_v_angle = defocus[list(DEFOCUS)].to_numpy()[0]
        for xy, is_true in ((true[kept, :2] + rng.normal(0, 1.5, (len(kept), 2)), 1), (junk, 0)):
            for x, y in np.rint(xy).astype(int):
                crop = pixels[y - BOX_PX // 2 : y + BOX_PX // 2, x - BOX_PX // 2 : x + BOX_PX // 2]
                if min(x, y) < BOX_PX // 2 or crop.shape != (BOX_PX, BOX_PX):
                    continue
                images.append(normalised(crop))
                rows.append((f"{len(images):06d}@particles.mrcs", path.name, x, y, *u_v_angle, 1))
                truth.append(is_true)
    order = rng.permutation(len(rows))
    with mrcfile.new(out / "particles.mrcs", overwrite=True) as file:
        file.set_data(np.stack(images))
    micrograph = ("rlnImageName", "rlnMicrographName", "rlnCoordinateX", "rlnCoordinateY")
    names = [*micrograph, *DEFOCUS, "rlnOpticsGroup"]
    table = pd.DataFrame(rows, columns=names).iloc[order]
    optics = starfile.read(next((out / "sim/truth").glob("*.star")), always_dict=True)["optics"]
    optics = pd.DataFrame(optics).assign(rlnImagePixelSize=pixel_size_A, rlnImageSize=BOX_PX)
    starfile.write({"optics": optics, "particles": table}, out / "particles.star", overwrite=True)
    return np.array(truth)[order]


def places(path: Path) -> np.ndarray:
    """Return ``(n, 2)`` x, y of a STAR file."""
    found = starfile.read(path, always_dict=True).get("particles")
    if found is None or "rlnCoordinateX" not in pd.DataFrame(found):
        return np.zeros((0, 2))
    return pd.DataFrame(found)[["rlnCoordinateX", "rlnCoordinateY"]].to_numpy(float)


def normalised(crop: np.ndarray) -> np.ndarray:
    """Return a crop, particles bright, its background of mean 0 and variance 1."""
    y, x = np.indices(crop.shape) - BOX_PX // 2
    around = crop[np.hypot(x, y) > BOX_PX / 2 - 2]
    return ((around.mean() - crop) / max(around.std(), 1e-6)).astype(np.float32)


def load(folder: Path, names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return measures ``(c, m)``, share of true particles, and how many particles, of classes that count."""
    x, y, n = [], [], []
    for path in (folder / f"{name}{way}.json" for name in names for way in WAYS):
        rows = json.loads(path.read_text())
        counts = np.array(rows["particles"])
        keep = counts >= 10
        x.append(np.stack([rows[one] for one in MEASURES], axis=1)[keep])
        y.append(np.array(rows["true_share"])[keep])
        n.append(counts[keep])
    return np.concatenate(x), np.concatenate(y), np.concatenate(n)


def fit(folder: Path) -> None:
    """Learn the rule and print it with its errors on sets that it has not seen."""
    x, share, _ = load(folder, LEARNT)
    mean, spread = x.mean(axis=0), x.std(axis=0)
    standard = np.clip((x - mean) / spread, -4, 4)

    def loss(theta: np.ndarray) -> float:
        score = standard @ theta[:-1] + theta[-1]
        # The share of true particles is what is to be told, in between, too.
        return float((np.logaddexp(0, score) - share * score).sum() + 0.5 * (theta[:-1] ** 2).sum())

    theta = scipy.optimize.minimize(loss, np.zeros(len(MEASURES) + 1)).x
    card = {
        "measures": MEASURES,
        "mean": mean.round(5).tolist(),
        "spread": spread.round(5).tolist(),
        "weight": theta[:-1].round(4).tolist(),
        "bias": round(float(theta[-1]), 4),
        "good": 0.75,
        "doubtful": 0.4,
    }
    made_from: dict[str, Any] = {"learnt_from": LEARNT, "held_out": HELD_OUT}
    made_from["script"] = "tests/benchmarks/class_likeness.py"
    for key, names in (("error_learnt", LEARNT), ("error_held_out", HELD_OUT)):
        made_from[key] = errors(card, *load(folder, names))
    sys.stdout.write(json.dumps({**card, "made_from": made_from}, indent=1) + "\n")


def errors(card: dict, x: np.ndarray, share: np.ndarray, count: np.ndarray) -> dict:
    """Return how often a rule errs over classes and over particles."""
    standard = np.clip((x - card["mean"]) / card["spread"], -4, 4)
    sure = 1 / (1 + np.exp(-(standard @ card["weight"] + card["bias"])))
    good, junk, real = sure >= card["good"], sure < card["doubtful"], share >= 0.5
    kept = count * good
    return {
        "classes": len(x),
        "real": int(real.sum()),
        "good": int(good.sum()),
        "doubtful": int((~good & ~junk).sum()),
        "good_that_are_junk": int((good & ~real).sum()),
        "junk_that_are_real": int((junk & real).sum()),
        "error_rate": round(float(((good & ~real) | (junk & real)).mean()), 4),
        "wrong_at_half": round(float(((sure >= 0.5) != real).mean()), 4),
        "particles_precision_before": round(float((count * share).sum() / count.sum()), 4),
        "particles_precision_good": round(float((kept * share).sum() / max(kept.sum(), 1)), 4),
        "particles_recall_good": round(float((kept * share).sum() / (count * share).sum()), 4),
    }


if __name__ == "__main__":
    what, folder, *names = sys.argv[1], Path(sys.argv[2]), *sys.argv[3:]
    if what == "make":
        for seed, name in enumerate((*LEARNT, *HELD_OUT), 100):
            if not names or name in names:
                make(folder, name, seed)
    else:
        fit(folder)
