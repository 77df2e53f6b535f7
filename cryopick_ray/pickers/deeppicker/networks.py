"""DeepPicker's classifier (Wang et al. 2016, J. Struct. Biol. 195:325, figure 2)."""

import torch
from torch import Tensor, nn

from cryopick_ray.errors import ModelError
from cryopick_ray.pickers.fragments import slide
from cryopick_ray.pickers.pooling import MaxPool2

ARCHITECTURE = "deeppicker"
PATCH_PX = 64
"""Side of the network's input."""
LAYERS = ((8, 9), (16, 5), (32, 3), (64, 2))
"""Channels and kernel of each convolution: valid, stride 1, ReLU, then 2x2 max-pooling."""
DROPOUT = 0.5
MAX_HIDDEN = 4096


class DeepPickerNetwork(nn.Module):
    """Four convolutions and two fully connected layers: particle in the middle of the patch or not.

    Parameters
    ----------
    architecture
        ``deeppicker``.
    hidden
        Width of the first fully connected layer: 256 in the authors' slides, 128 in their Python and
        64 in their Torch code.
    """

    def __init__(self, architecture: str, hidden: int = 256) -> None:
        super().__init__()
        if architecture != ARCHITECTURE:
            raise ModelError(f"unknown architecture {architecture!r}; expected {ARCHITECTURE!r}")
        if not 1 <= hidden <= MAX_HIDDEN:
            raise ModelError(f"{architecture} with hidden {hidden}; expected 1 to {MAX_HIDDEN}")
        convolutions: list[nn.Module] = []
        side, channels_in = PATCH_PX, 1
        for channels_out, kernel in LAYERS:
            convolutions += [
                nn.Conv2d(channels_in, channels_out, kernel),
                nn.ReLU(inplace=True),
                MaxPool2(),
            ]
            side, channels_in = (side - kernel + 1) // 2, channels_out
        self.convolutions = nn.Sequential(*convolutions)
        self.classifier = nn.Sequential(
            nn.Linear(channels_in * side**2, hidden), nn.ReLU(), nn.Dropout(DROPOUT), nn.Linear(hidden, 2)
        )

    def forward(self, patches: Tensor, *, step_px: int | None = None) -> Tensor:
        """Return logits: no particle, particle.

        Parameters
        ----------
        patches
            ``(n, 1, 64, 64)``: the output is ``(n, 2)``.
        step_px
            If given, ``patches`` are images ``(n, 1, h, w)``, and the output ``(n, 2, gh, gw)`` is for all of
            their patches at this step.
        """
        if step_px is not None:
            layers = [*self.convolutions, *self.classifier]
            return slide(layers, patches, size_px=PATCH_PX, step_px=step_px)
        logits: Tensor = self.classifier(torch.flatten(self.convolutions(patches), 1))
        return logits
