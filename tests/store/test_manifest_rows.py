from dataclasses import astuple, replace

from hypothesis import given
from hypothesis import strategies as st

from cryopick_ray.store.manifest import ManifestRow, publish_part, read_manifest
from cryopick_ray.store.place import Place

names = st.text("ab/", max_size=3)
sides, sizes = st.integers(0, 2), st.sampled_from([0.0, 1.0, 2.0])
optics = st.none() | sizes
rows = st.builds(
    ManifestRow, names, names, names, names, names, sides, sides, sizes, sides, sides, sides,
    optics, optics, optics, st.sampled_from(["complete", "failed"]), names,
)  # fmt: skip


@given(st.lists(st.lists(rows, min_size=1, max_size=4), max_size=3))
def test_rows_come_back_as_they_were_types_and_all(tmp_path_factory, parts):
    place = Place(str(tmp_path_factory.mktemp("manifest")), create=True)
    published = [
        [replace(row, micrograph_id=f"{part}/{index}") for index, row in enumerate(part_rows)]
        for part, part_rows in enumerate(parts)
    ]
    for part in published:
        publish_part(place, part)
    read = read_manifest(place)
    assert read == {row.micrograph_id: row for part in published for row in part}
    for part in published:
        for row in part:  # 1 and 1.0 are equal, and must not stand for each other
            assert list(map(type, astuple(row))) == list(map(type, astuple(read[row.micrograph_id])))


def test_what_many_rows_have_alike_is_kept_once(tmp_path):
    place = Place(str(tmp_path), create=True)
    for start in (0, 2):
        publish_part(
            place,
            [
                ManifestRow(
                    f"{number}.mrc", "a set", f"{number}.mrc", f"/data/{number}.mrc", f"crc {number}",
                    4096, 4096, 1.5,
                    512, 512, 10**6, 300.0, 2.7, 0.1, "complete", "",
                )
                for number in (start, start + 1)
            ],
        )  # fmt: skip
    first, *others = read_manifest(place).values()
    assert first.micrograph_id is first.relion_name
    for other in others:
        for name in ("dataset", "source_height_px", "pixel_size_A", "width_px", "voltage_kV", "status"):
            assert getattr(other, name) is getattr(first, name)
