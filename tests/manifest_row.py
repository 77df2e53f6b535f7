"""A micrograph in a store's manifest, as tests make it."""

from cryopick_ray.store.manifest import ManifestRow


def manifest_row(name, status, **changes):
    return ManifestRow(
        **{
            "micrograph_id": name,
            "dataset": "d",
            "relion_name": name,
            "source": name,
            "checksum": "crc32c:00000000",
            "source_height_px": 90,
            "source_width_px": 110,
            "pixel_size_A": 2.0,
            "height_px": 90,
            "width_px": 110,
            "shard_bytes": 1,
            "voltage_kV": None,
            "spherical_aberration_mm": None,
            "amplitude_contrast": None,
            "status": status,
            "reason": "",
        }
        | changes
    )
