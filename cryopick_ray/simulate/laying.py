"""How the filaments of a micrograph come to lie: one after another, each knowing those before."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from cryopick_ray.simulate.drawn_ranges import draw, draw_count, draw_log
from cryopick_ray.simulate.field import FieldOfView
from cryopick_ray.simulate.filament_scene import Filament, FilamentScene
from cryopick_ray.simulate.molecule import Molecule
from cryopick_ray.simulate.plane_curves import STEP, Curve, beside, clear_of_itself, runs, worm
from cryopick_ray.simulate.scene import SceneSettings

SHORTEST = 2.0
"""Length of a piece that one would trace at least, in widths."""
APART = 1.2
"""Distance at which filaments that don't cross end before each other, in widths."""
TIGHTEST = 3.0
"""Least radius of a bend in widths; the innermost of a bundle bends as much."""
PLACES = 30
"""Places tried for a filament, and filaments tried in vain before the field counts as full."""
TANGLE = 12.0
"""Persistence length of what is tangled, in widths."""


def lay_filaments(
    rng: np.random.Generator,
    view: FieldOfView,
    settings: SceneSettings,
    molecules: Sequence[Molecule],
    contaminated: NDArray[np.bool_],
    unseen: NDArray[np.bool_],
) -> FilamentScene | None:
    """Lay the filaments of one micrograph; ``None`` if no molecule is one.

    Parameters
    ----------
    contaminated
        ``(h, w)``, true where filaments do not lie.
    unseen
        ``(h, w)``, true where they may lie but nobody traces them.
    """
    if not any(molecule.helix for molecule in molecules):
        return None
    if rng.uniform() < settings.empty_probability:
        return FilamentScene(is_empty=True)
    mixture = settings.mixture or (1.0,) * len(molecules)
    weights = [share if molecule.helix else 0.0 for share, molecule in zip(mixture, molecules, strict=True)]
    if not sum(weights) > 0:
        return FilamentScene()
    widths_A = [molecule.diameter_A for molecule in molecules]
    return _Layer(rng, view, settings, widths_A, weights, contaminated, unseen).lay()


class _Layer:
    """Lays filaments one after another, knowing those before."""

    def __init__(
        self,
        rng: np.random.Generator,
        view: FieldOfView,
        scene: SceneSettings,
        widths_A: Sequence[float],
        weights: Sequence[float],
        contaminated: NDArray[np.bool_],
        unseen: NDArray[np.bool_],
    ) -> None:
        settings = scene.filaments
        self._rng, self._view, self._settings = rng, view, settings
        self._widths_A, self._weights = widths_A, np.asarray(weights) / np.sum(weights)
        self._contaminated, self._unseen = contaminated, unseen
        self._on_contamination = scene.density_on_contamination
        self._crosses = rng.uniform() < settings.crossing_probability
        self._persistence = draw_log(rng, settings.persistence)
        self._bundled, self._broken = draw(rng, settings.bundled), draw(rng, settings.broken)
        self._tangles_A: list[tuple[float, float, float]] = []
        self._laid: list[tuple[int, Curve]] = []

    def lay(self) -> FilamentScene:
        rng, settings = self._rng, self._settings
        tilt_deg = draw(rng, settings.tilt_deg)
        number = None if settings.number is None else draw_count(rng, settings.number)
        share = draw(rng, settings.density)
        for _ in range(draw_count(rng, settings.tangles)):
            self._tangle()
        tangled = len(self._laid)
        area_A2 = share * float(np.mean(~self._contaminated)) * float(np.prod(self._view.size_A))
        count, covered_A2, idle = 0, 0.0, 0
        while idle < PLACES and (covered_A2 < area_A2 if number is None else count < number):
            group = self._group(most=None if number is None else number - count)
            count, idle = count + len(group), 0 if group else idle + 1
            for molecule, curves in group:
                self._laid += [(molecule, curve) for curve in curves]
                covered_A2 += sum(self._seen_A2(molecule, curve) for curve in curves)
        px = np.asarray(self._tangles_A).reshape(-1, 3) / self._view.pixel_size_A
        filaments = [self._filament(*one, tangled=i < tangled) for i, one in enumerate(self._laid)]
        return FilamentScene(tuple(filaments), px, tilt_deg)

    def _group(self, most: int | None) -> list[tuple[int, list[Curve]]]:
        """Return a filament or a bundle, each as the pieces that are drawn; none if there is no room."""
        rng, settings = self._rng, self._settings
        molecule = int(rng.choice(len(self._weights), p=self._weights))
        width_A = self._widths_A[molecule]
        members = draw_count(rng, settings.bundle)
        # a share of the filaments, not of the groups
        if rng.uniform() * (members - (members - 1) * self._bundled) >= self._bundled:
            members = 1
        if most is not None:
            members = min(members, most)
        apart = draw(rng, settings.bundle_distance)
        length = draw_log(rng, settings.length)
        # what runs side by side is stiffer
        curve = worm(rng, length, self._persistence * members, TIGHTEST + (members - 1) / 2 * apart)
        anchor_A = self._anchor_A(width_A)
        if anchor_A is None:
            return []
        if not self._crosses:
            curve = clear_of_itself(curve, APART + (members - 1) * apart)
        lines = [curve] if members == 1 else self._ragged(curve, members, apart)
        pieces = [self._cut(anchor_A + line * width_A, width_A) for line in lines]
        return [(molecule, some) for some in pieces if some]

    def _ragged(self, curve: Curve, members: int, apart: float) -> list[Curve]:
        """Return parallels to a curve that end where they like."""
        lines = []
        for i in range(members):
            line = beside(curve, (i - (members - 1) / 2) * apart)
            start, stop = (self._rng.uniform((0, 0.75), (0.25, 1)) * len(line)).astype(int)
            lines.append(line[start:stop])
        return [line for line in lines if len(line) > 1]

    def _anchor_A(self, width_A: float) -> NDArray[np.float64] | None:
        """Draw a place in the image off contamination and, where nothing crosses, off the others."""
        for _ in range(PLACES):
            point = np.array([self._view.random_point_A(self._rng)])
            if self._free(point, width_A)[0]:
                return np.asarray(point[0])
        return None

    def _free(self, points_A: Curve, width_A: float) -> NDArray[np.bool_]:
        """Tell where a filament may lie."""
        free = ~self._on(self._contaminated, points_A)
        if not self._crosses:
            for molecule, curve in self._laid:
                reach_A = APART * (width_A + self._widths_A[molecule]) / 2
                near, _ = KDTree(curve).query(points_A, distance_upper_bound=reach_A)
                free &= ~np.isfinite(near)
        return free

    def _cut(self, curve_A: Curve, width_A: float) -> list[Curve]:
        """Return the pieces of a filament that are drawn: what lies off the field is none of them."""
        margin_A = width_A
        last_A = np.array(self._view.size_A[::-1]) + margin_A
        kept = ((curve_A > -margin_A) & (curve_A < last_A)).all(axis=1) & self._whole(len(curve_A))
        on = self._on(self._contaminated, curve_A)
        free = self._free(curve_A, width_A) | on
        for run in runs(on):
            free[run] &= self._rng.uniform() < self._on_contamination
        return [curve_A[run] for run in runs(kept & free) if (run.stop - run.start) * STEP >= 1]

    def _whole(self, count: int) -> NDArray[np.bool_]:
        """Tell where a filament of so many points has no gaps."""
        whole = np.ones(count, bool)
        if self._rng.uniform() < self._broken:
            for _ in range(self._rng.integers(1, 2 + int(count * STEP / 25), endpoint=True)):
                start = int(self._rng.integers(count))
                whole[start : start + round(draw_log(self._rng, self._settings.gap) / STEP)] = False
        return whole

    def _tangle(self) -> None:
        """Throw short filaments on a heap."""
        rng = self._rng
        molecule = int(rng.choice(len(self._weights), p=self._weights))
        width_A, radius = self._widths_A[molecule], rng.uniform(1.5, 4)
        middle_A = self._anchor_A(width_A)
        if middle_A is None:
            return
        for _ in range(rng.integers(3, 12)):
            curve = worm(rng, rng.uniform(1, 2.5) * radius, TANGLE, TIGHTEST) + rng.normal(0, radius / 3, 2)
            curve = curve[np.hypot(*curve.T) < radius]
            free = ~self._on(self._contaminated, middle_A + curve * width_A)
            self._laid += [
                (molecule, middle_A + curve[run] * width_A)
                for run in runs(free)
                if (run.stop - run.start) * STEP >= 1
            ]
        self._tangles_A.append((middle_A[0], middle_A[1], (radius + 0.5) * width_A))

    def _filament(self, molecule: int, curve_A: Curve, *, tangled: bool) -> Filament:
        """Tell where one would trace a filament."""
        points = curve_A / self._view.pixel_size_A
        height, width = self._view.shape
        inside = np.asarray(((points >= 0) & (points <= (width - 1, height - 1))).all(axis=1))
        pickable = inside & ~self._on(self._unseen, curve_A)
        pickable[:] &= not tangled
        for x_A, y_A, radius_A in self._tangles_A:
            pickable &= np.hypot(curve_A[:, 0] - x_A, curve_A[:, 1] - y_A) > radius_A
        for run in runs(pickable):
            if (run.stop - run.start - 1) * STEP < SHORTEST:
                pickable[run] = False
        return Filament(molecule, points, inside, pickable)

    def _seen_A2(self, molecule: int, curve_A: Curve) -> float:
        """Return the area of the image that a filament covers."""
        height_A, width_A = self._view.size_A
        inside = ((curve_A >= 0) & (curve_A < (width_A, height_A))).all(axis=1)
        return float(inside.sum()) * STEP * self._widths_A[molecule] ** 2

    def _on(self, mask: NDArray[np.bool_], points_A: Curve) -> NDArray[np.bool_]:
        """Tell which points lie on what a mask shows; the border reaches on beyond the image."""
        column, row = np.rint(points_A / self._view.pixel_size_A).astype(np.int64).T
        height, width = mask.shape
        return np.asarray(mask[np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)])
