"""CryoSPARC's files, as its jobs leave them."""

import numpy as np
import yaml


def write_table(path, columns):
    """Write a ``.cs`` file of columns; slashes in names are as they are."""
    arrays = {name: np.asarray(values) for name, values in columns.items()}
    rows = np.zeros(
        len(next(iter(arrays.values()))),
        [(name, array.dtype, array.shape[1:]) for name, array in arrays.items()],
    )
    for name, array in arrays.items():
        rows[name] = array
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        np.save(file, rows)
    return path


def write_group(path, files, kind="exposure"):
    """Write a ``.csg`` of results, each in one of the files beside it."""
    results = {
        name: {"metafile": f">{file}", "num_items": 4, "type": f"{kind}.{name}"}
        for name, file in files.items()
    }
    head = {"created": "2026-01-02 03:04:05.678901", "group": {"name": f"{kind}s", "type": kind}}
    path.write_text(yaml.safe_dump({**head, "results": results, "version": "v4.5.3"}))
    return path


UIDS = np.array([11, 2**63 + 5, 17, 2**64 - 59], np.uint64)
GROUPS = np.array([5, 5, 9, 9], np.uint32)
PATHS = np.array(
    [f"J2/motioncorrected/{one:021d}_m{i}_patch_aligned.mrc".encode() for i, one in enumerate(UIDS)]
)
MICROSCOPE = {
    "uid": UIDS,
    "mscope_params/accel_kv": np.full(4, 200, np.float32),
    "mscope_params/cs_mm": np.full(4, 1.4, np.float32),
    "mscope_params/exp_group_id": GROUPS,
}
IMAGES = {
    "uid": UIDS,
    "micrograph_blob/path": PATHS,
    "micrograph_blob/psize_A": np.full(4, 1.315, np.float32),
    "micrograph_blob/shape": np.tile(np.uint32([300, 400]), (4, 1)),
}
