"""Micrographs with white noise added: the same particles with less signal, as in a single frame."""

from collections.abc import Sequence
from pathlib import Path
from zlib import crc32

import mrcfile
import numpy as np

from cryopick_ray.errors import MicrographError, UsageError
from cryopick_ray.micrographs.reader import read_micrograph
from cryopick_ray.micrographs.sources import MicrographSource
from cryopick_ray.store.publish import below, whole


def noisy_copies(sources: Sequence[MicrographSource], folder: Path, factor: float) -> None:
    """Write MRC copies with noise of ``factor`` standard deviations of each image, unless they are there.

    The noise depends on the micrograph's id and on ``factor`` alone.

    Raises
    ------
    UsageError
        If a micrograph is no readable file of this machine.
    """
    for source in sources:
        path = below(folder, Path(source.micrograph_id).with_suffix(".mrc"))
        if not path.is_file():
            _write_noisy(source, path, factor)


def _write_noisy(source: MicrographSource, path: Path, factor: float) -> None:
    if source.url:
        raise UsageError(
            f"noise needs files of this machine, and {source.micrograph_id} is remote; leave it out"
        )
    try:
        micrograph = read_micrograph(source.path)
    except MicrographError as error:
        raise UsageError(f"{source.micrograph_id}: {error}; exclude it") from error
    image = micrograph.pixels.astype(np.float32)
    rng = np.random.default_rng([crc32(source.micrograph_id.encode()), round(1000 * factor)])
    image += np.float32(factor * image.std(dtype=np.float64)) * rng.standard_normal(image.shape, np.float32)
    with whole(path) as aside, mrcfile.new(aside, overwrite=True) as mrc:
        mrc.set_data(image)
        mrc.voxel_size = source.pixel_size_A or micrograph.pixel_size_A or 0.0
