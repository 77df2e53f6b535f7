"""Fourier crop and pad of a batch of images on their device."""

import torch
from torch import Tensor

from cryopick_ray.units import Shape

BLOCK_PIXELS = 2**24
"""Rows are transformed in blocks of about this many pixels, so that no full-size spectrum exists."""


def fourier_resize_on_device(images: Tensor, shape: Shape) -> Tensor:
    """Resample images as :func:`~cryopick_ray.micrographs.resample.fourier_resize` resamples one.

    Parameters
    ----------
    images
        ``(n, h, w)`` floating-point images on any device.
    shape
        Height and width of the results.

    Returns
    -------
    ``(n, shape[0], shape[1])`` float32 on the same device.
    """
    height, width = shape
    rows = _row_spectra(images, width)
    rows *= height * width / (images.shape[1] * images.shape[2])
    if height != images.shape[1]:
        columns = torch.fft.fft(rows, dim=1)
        del rows  # as large as the columns
        rows = torch.fft.ifft(_resized_columns(columns, height), dim=1)
    resized: Tensor = torch.fft.irfft(rows, n=width, dim=2)
    return resized


def _row_spectra(images: Tensor, width: int) -> Tensor:
    """Return the ``(n, h, width // 2 + 1)`` half spectra of the rows, cropped or padded to ``width``."""
    count, height, source_width = images.shape
    kept = min(source_width, width)
    spectra = images.new_zeros((count, height, width // 2 + 1), dtype=torch.complex64)
    block = max(1, BLOCK_PIXELS // (count * source_width))
    for start in range(0, height, block):
        rows = images[:, start : start + block].float()
        spectra[:, start : start + block, : kept // 2 + 1] = torch.fft.rfft(rows)[:, :, : kept // 2 + 1]
    if kept % 2 == 0 and width != source_width:
        # a pair at the new Nyquist frequency adds up to twice its real part, which not every FFT takes alone
        nyquist = spectra[:, :, kept // 2]
        spectra[:, :, kept // 2] = nyquist.real * 2 if width < source_width else nyquist / 2
    return spectra


def _resized_columns(columns: Tensor, height: int) -> Tensor:
    """Crop or pad the full spectra of columns to ``height`` components."""
    count, source_height, width = columns.shape
    kept = min(source_height, height)
    resized = columns.new_zeros((count, height, width))
    resized[:, : (kept + 1) // 2] = columns[:, : (kept + 1) // 2]
    if kept > 2:
        resized[:, -((kept - 1) // 2) :] = columns[:, -((kept - 1) // 2) :]
    if kept % 2 == 0:
        nyquist = kept // 2
        if height < source_height:
            resized[:, nyquist] = columns[:, nyquist] + columns[:, -nyquist]
        else:
            resized[:, nyquist] = resized[:, -nyquist] = columns[:, nyquist] / 2
    return resized
