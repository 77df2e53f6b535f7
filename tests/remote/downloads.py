"""Downloads as the tests make them."""

from pathlib import Path

from archive_server import ENTRY, Archive

from cryopick_ray.empiar.download import Wanted, choose, fetch
from cryopick_ray.empiar.download_manifest import Manifest
from cryopick_ray.empiar.source import EmpiarSource


class Record:
    """Events, remembered."""

    def __init__(self) -> None:
        self.bytes = 0
        self.endings: dict[str, str] = {}

    def moved(self, n_bytes: int) -> None:
        self.bytes += n_bytes

    def ended(self, path: str, reason: str) -> None:
        self.endings[path] = reason


def download(folder: Path, wanted: Wanted | None = None, connections: int = 4, **options) -> Record:
    """Fetch what is wanted, and return what was told."""
    record, source = Record(), EmpiarSource(connections=connections, **options)
    folder.mkdir(exist_ok=True)
    with Manifest(folder, ENTRY) as manifest:
        chosen = choose(source, ENTRY, manifest, wanted or Wanted(), lambda text: None)
        fetch(source, chosen, manifest, record)
        record.summary = manifest.summary()
    return record


def assert_whole(folder: Path, archive: Archive, paths: list[str]) -> None:
    for path in paths:
        assert (folder / path).read_bytes() == archive.files[path], path
    assert not list(folder.rglob("*.part"))
