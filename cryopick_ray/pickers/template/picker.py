"""The template picker: correlation with the best of all views of a map at each pixel."""

import math
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cryopick_ray.errors import ModelError, UsageError
from cryopick_ray.micrographs.preprocess import check_pixels, normalise
from cryopick_ray.pickers.network_picker import NetworkPicker
from cryopick_ray.pickers.picker import Candidates
from cryopick_ray.pickers.scoring import EXACT, Scoring
from cryopick_ray.pickers.template.templates import NORMALISATION, Templates, box_for, disc
from cryopick_ray.pickers.weights import ModelCard

FLOOR = 0.05  # 97 % of the peaks of white noise lie above: a threshold is found from them
SUPPRESSION = 0.5  # radius in diameters: touching particles are both kept
QUIETEST = 0.01  # of the strongest contrast of a micrograph: below it lies rounding
TRANSFORM_PX = 256  # side of the tiles that are transformed: small enough for a processor's cache
BATCH = 8  # templates at a time
PEAKS = 256  # whose surroundings are compared with all templates at a time


class TemplatePicker(NetworkPicker[Templates]):
    """Matches templates by local normalised cross-correlation.

    At each pixel the score is the greatest, over the templates t, of ``sum(t (x - mean)) / sqrt(sum((x -
    mean)^2))`` within the templates' disc around it: the correlation coefficient, from -1 to 1, computed with
    Fourier transforms (Roseman 2003, Ultramicroscopy 94:225). The root is at least its median over the
    micrograph, so that quiet ice is not blown up: on beta-galactosidase (EMPIAR-10017) this takes the best F1
    from 0.79 to 0.83. The image is reflected at its edges.

    Parameters
    ----------
    network, card
        The templates and their card.
    particle_px
        The card's; templates are made at one scale.
    device
        Where the transforms run: ``auto``, or as torch names it.

    Raises
    ------
    ModelError
        If the card is of another kind of model, or the templates are not normalised within their disc.
    UsageError
        If the device is not there or the size is another.
    """

    normalisation = NORMALISATION

    kind = "template"
    is_probability = False

    def __init__(
        self,
        network: Templates,
        card: ModelCard,
        *,
        particle_px: float | None = None,
        device: str = "cpu",
        scoring: Scoring = EXACT,
    ) -> None:
        del scoring  # always exact
        super().__init__(network, card, particle_px=None, device=device)
        if particle_px not in (None, self.particle_px):
            raise UsageError(
                f"`particle_px` {particle_px}: the templates of {card.name} are made for "
                f"{card.particle_px:g}; leave the option out, or make others (cryopick models template)"
            )
        self._disc = _checked_disc(network.templates, card).to(self.device)
        self._views = _transform(network.templates).conj()
        self._sum = _transform(self._disc.float()).conj()

    def details(self) -> dict[str, Any]:
        """Return the settings that this kind of picker adds."""
        return {"suppression": SUPPRESSION, "floor": FLOOR, "transform_px": TRANSFORM_PX}

    def pick_many(self, images: Tensor) -> list[Candidates]:
        """Return all peaks above the floor of ``(n, h, w)`` images, half a particle apart at least.

        A centre nearer to an edge than half a particle belongs to one that cannot be boxed whole: left out.
        Each has the ``view`` that fits best there, counted from 0 in the order of the templates.

        Raises
        ------
        MicrographError
            If an image is constant or holds NaN or infinite values.
        """
        margin = math.ceil(self.particle_px / 2)
        found = []
        for image in images:
            padded = self._padded(image)
            scores = self._score_map(padded)
            whole = torch.full_like(scores, -math.inf)
            inside = np.s_[margin : scores.shape[0] - margin, margin : scores.shape[1] - margin]
            whole[inside] = scores[inside]
            (peaks,) = self.peaks(whole[None], radius_px=SUPPRESSION * self.particle_px, floor=FLOOR)
            found.append(replace(peaks, more={"view": self._views_at(padded, peaks)}))
        return found

    def score_maps(self, images: Tensor) -> Tensor:
        """Return the best correlation coefficients of ``(n, h, w)`` images, one by one, in their shape.

        Raises
        ------
        MicrographError
            As :meth:`pick_many`.
        """
        return torch.stack([self._score_map(self._padded(image)) for image in images])

    def _padded(self, image: Tensor) -> Tensor:
        """Return an ``(h, w)`` image normalised, with a rim of half a template on all sides."""
        pixels = image.cpu().numpy()
        check_pixels(pixels)
        rim = len(self._disc) // 2
        padded = torch.from_numpy(np.pad(normalise(pixels).pixels, rim, mode="reflect"))
        return padded.to(self.device)

    def _score_map(self, padded: Tensor) -> Tensor:
        rim = len(self._disc) // 2
        step = TRANSFORM_PX - 2 * rim
        height, width = (side - 2 * rim for side in padded.shape)
        fit, contrast = padded.new_empty(height, width), padded.new_empty(height, width)
        for y, x in product(range(0, height, step), range(0, width, step)):
            tile = np.s_[y : y + step, x : x + step]
            fit[tile], contrast[tile] = self._match(padded[y : y + TRANSFORM_PX, x : x + TRANSFORM_PX])
        floor = torch.maximum(contrast.median(), QUIETEST * contrast.max())
        return fit / torch.maximum(contrast, floor)

    def _views_at(self, padded: Tensor, candidates: Candidates) -> NDArray[np.int16]:
        """Return which template fits best at each candidate: maxima over all pixels would cost far more."""
        width = padded.shape[1]
        rows, columns = self._disc.nonzero().T
        around, templates = rows * width + columns, self.network.templates.to(self.device)[:, self._disc].T
        y, x = (
            torch.from_numpy(np.rint(at).astype(np.int64)).to(self.device)
            for at in (candidates.y, candidates.x)
        )
        flat, fits = padded.flatten(), []
        for pixels in torch.split(y * width + x, PEAKS):
            seen = flat.index_select(0, (pixels[:, None] + around).flatten()).view(len(pixels), len(around))
            fits.append((seen @ templates).argmax(dim=1))
        view: NDArray[np.int16] = torch.cat(fits).cpu().numpy().astype(np.int16)
        return view

    def _match(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Return the greatest product with a template, and the root of the sum of squares about the mean.

        Both are of the ``(h - 2 rim, w - 2 rim)`` pixels of an ``(h, w)`` tile around which the disc fits.
        """
        inner = tuple(side - len(self._disc) + 1 for side in seen.shape)
        spectrum = _transform(seen)
        fit = torch.full(inner, -math.inf, device=self.device)
        for views in torch.split(self._views, BATCH):
            fit = torch.maximum(fit, _inverse(spectrum * views, inner).amax(dim=0))
        total = _inverse(spectrum * self._sum, inner)
        squares = _inverse(_transform(seen * seen) * self._sum, inner)
        return fit, (squares - total * total / self._disc.sum()).clamp(min=0).sqrt()


def _checked_disc(templates: Tensor, card: ModelCard) -> Tensor:
    """Return the disc of templates whose products with an image are correlation coefficients."""
    box_px = templates.shape[1]
    if box_px != box_for(card.particle_px):  # before a disc of that size is made
        raise ModelError(
            f"model {card.name}: templates of {box_px} px; expected {box_for(card.particle_px)} for "
            f"particle_px {card.particle_px:g}"
        )
    mask = disc(card.particle_px).to(templates.device)
    inside = templates[:, mask]
    mean, norm = inside.mean(dim=1), torch.linalg.vector_norm(inside, dim=1)
    if bool(templates[:, ~mask].any()) or bool((mean.abs() > 1e-4).any() | ((norm - 1).abs() > 1e-3).any()):
        raise ModelError(f"model {card.name}: templates are not of zero mean and unit norm within their disc")
    return mask


def _transform(images: Tensor) -> Tensor:
    """Return the half spectra of images padded with zeros to the side of a tile."""
    spectra: Tensor = torch.fft.rfft2(images, s=(TRANSFORM_PX, TRANSFORM_PX))
    return spectra


def _inverse(spectra: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return the first ``shape`` pixels, those to which nothing wraps round."""
    images: Tensor = torch.fft.irfft2(spectra, s=(TRANSFORM_PX, TRANSFORM_PX))
    return images[..., : shape[0], : shape[1]]
