"""Readers of what EMPIAR and its mirrors answer."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

from reader import Reader, only, text_file

from cryopick_ray.empiar.download_manifest import Manifest
from cryopick_ray.empiar.entry import choose_image_set, parse_entry, parse_search
from cryopick_ray.transfer.index_pages import HttpFiles
from cryopick_ray.transfer.response import RemoteFile

INDEX = "".join(
    f'<a href="{name}">{name}</a>   2020-01-02 03:04   {size}\n'
    for name, size in [("../", "-"), ("sub/", "-"), ("a%20b.mrc", "12M"), ("c.mrc", "1024")]
)
ENTRY = {
    "EMPIAR-10017": {
        "title": "x",
        "dataset_size": "1 GB",
        "cross_references": [{"name": "EMD-1"}],
        "imagesets": [
            {
                "name": "a",
                "directory": "data/a",
                "category": "micrographs - single frame",
                "pixel_width": "1.5",
            },
            {
                "name": "b",
                "category": "micrographs - multiframe",
                "frames_per_image": 20,
                "details": "flipped",
            },
        ],
    },
    "entries": [{"id": "EMPIAR-10017", "fields": {"title": ["x"]}}],
    "hitCount": 1,
}


def _index(folder: Path) -> object:
    page = only(folder).read_bytes()
    pages = iter([page])
    client = SimpleNamespace(page=lambda url, at_most: next(pages, b""))
    return list(HttpFiles("http://host/10017", client).walk("data"))  # type: ignore[arg-type]


def _downloads(folder: Path) -> None:
    (folder / ".empiar").mkdir()
    with Manifest(folder, "10017") as manifest:
        manifest.list_files(
            [RemoteFile("data/a.mrc", 10), RemoteFile("data/b.mrc")], frames=1, data_format=""
        )


def _downloaded(folder: Path) -> object:
    with Manifest(folder, "10017") as manifest:
        manifest.select("data", role="micrograph", fits=lambda path: True, limit=None)
        return manifest.counts("data"), list(manifest.chosen()), manifest.summary()


def _entry(folder: Path) -> object:
    raw = only(folder).read_bytes()
    parse_search(raw)
    return choose_image_set(parse_entry(raw, "10017"), None)


ARCHIVE: Mapping[str, Reader] = {
    "index page": Reader((text_file("index.html", INDEX),), _index),
    "downloads": Reader((_downloads,), _downloaded),
    "EMPIAR entry": Reader((text_file("entry.json", json.dumps(ENTRY)),), _entry),
}
