"""A manifest in a stranger's folder runs nothing, ends, and writes and removes nothing elsewhere."""

import os
import sqlite3
import time

import pytest
from archive_server import ENTRY
from downloads import download

from cryopick_ray.empiar.database import JOURNAL_MAGIC
from cryopick_ray.empiar.download_manifest import Manifest
from cryopick_ray.errors import CryoPickError
from cryopick_ray.transfer.response import RemoteFile

ENDLESS = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT COUNT(*) FROM n"
FILES = "path, role, exposure, preference, state, reason, listed_at, changed_at"


def manifest_file(folder):
    (folder / ".empiar").mkdir(exist_ok=True)
    return folder / ".empiar" / "manifest.sqlite"


def ours(folder):
    manifest_file(folder)
    with Manifest(folder, ENTRY) as manifest:
        manifest.list_files([RemoteFile("data/a.mrc", 10)], frames=1, data_format="MRC")


def written(folder, *statements):
    database = sqlite3.connect(manifest_file(folder))
    with database:
        for statement in statements:
            database.execute(statement)
    database.close()


def assert_refused(folder, words):
    before, begun = manifest_file(folder).read_bytes(), time.monotonic()
    with pytest.raises(CryoPickError, match=words) as caught:
        Manifest(folder, ENTRY)
    assert time.monotonic() - begun < 10
    assert len(str(caught.value)) < 1000
    assert manifest_file(folder).read_bytes() == before


@pytest.mark.parametrize(
    "statements",
    [
        (f"CREATE TRIGGER t AFTER UPDATE ON files BEGIN INSERT INTO about SELECT ({ENDLESS}), 1; END",),
        (f"CREATE TRIGGER t BEFORE INSERT ON about BEGIN SELECT * FROM ({ENDLESS}); END",),
        (f"CREATE VIEW v AS {ENDLESS}",),
        ("DROP TABLE about", f"CREATE VIEW about (key, value) AS SELECT 'version', ({ENDLESS})"),
        ("ALTER TABLE about ADD COLUMN more GENERATED ALWAYS AS (zeroblob(1000000000)) VIRTUAL",),
        ("DROP INDEX owners",),
        ("CREATE INDEX more ON files (hex(zeroblob(length(path) * 1000)))",),
    ],
)
def test_any_tables_but_ours_are_refused_before_anything_is_written(tmp_path, statements):
    ours(tmp_path)
    written(tmp_path, *statements)
    assert_refused(tmp_path, r"other tables than ours.*delete \.empiar")


def test_a_schema_without_end_is_given_up(tmp_path):
    written(tmp_path, *(f"CREATE TABLE t{number} (x)" for number in range(3000)))
    assert_refused(tmp_path, r"manifest\.sqlite.*delete \.empiar")


def test_pages_that_stand_in_many_places_are_damage(tmp_path):
    ours(tmp_path)
    rows = (f"('data/{number:06}', 'x', 'x', 0, 'listed', '{'y' * 500}', 0, 0)" for number in range(200))
    written(tmp_path, f"INSERT INTO files ({FILES}) VALUES {', '.join(rows)}")
    database = sqlite3.connect(manifest_file(tmp_path))
    root = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'files'").fetchone()[0]
    size = database.execute("PRAGMA page_size").fetchone()[0]
    database.close()
    content = bytearray(manifest_file(tmp_path).read_bytes())
    page = memoryview(content)[(root - 1) * size : root * size]
    cells = [
        int.from_bytes(page[at : at + 2], "big")
        for at in range(12, 12 + 2 * int.from_bytes(page[3:5], "big"), 2)
    ]
    for cell in cells[1:]:
        page[cell : cell + 4] = page[cells[0] : cells[0] + 4]
    page.release()
    manifest_file(tmp_path).write_bytes(content)
    assert_refused(tmp_path, r"pages are damaged.*delete \.empiar")


@pytest.mark.parametrize("name", ["", "-journal", "-wal", "-shm"])
def test_nothing_is_written_through_a_link(tmp_path, name):
    folder = tmp_path / "download"
    folder.mkdir()
    ours(folder)
    target = tmp_path / "elsewhere"
    target.write_bytes(manifest_file(folder).read_bytes())
    before = target.read_bytes()
    link = manifest_file(folder).with_name(f"manifest.sqlite{name}")
    link.unlink(missing_ok=True)
    link.symlink_to(target)
    with pytest.raises(CryoPickError, match=f"manifest.sqlite{name} is a symbolic link"):
        Manifest(folder, ENTRY)
    assert target.read_bytes() == before


@pytest.mark.parametrize("name", [".empiar", ".empiar/owners"])
def test_a_linked_folder_of_records_is_refused(tmp_path, name):
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "download" / name
    link.parent.mkdir(parents=True)
    link.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CryoPickError, match="is a symbolic link"):
        Manifest(tmp_path / "download", ENTRY)
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(manifest_file(tmp_path))
    with pytest.raises(CryoPickError, match="of another kind"):
        Manifest(tmp_path, ENTRY)


def test_a_journal_removes_no_file_that_it_names(tmp_path):
    ours(tmp_path)
    precious = tmp_path / "precious"
    precious.write_text("mine")
    pages = manifest_file(tmp_path).stat().st_size // 4096
    name = str(precious).encode()
    tail = len(name).to_bytes(4, "big") + sum(name).to_bytes(4, "big") + JOURNAL_MAGIC
    head = (
        JOURNAL_MAGIC
        + (0).to_bytes(4, "big")
        + bytes(4)
        + pages.to_bytes(4, "big")
        + (512).to_bytes(4, "big")
    )
    head += (4096).to_bytes(4, "big")
    journal = manifest_file(tmp_path).with_name("manifest.sqlite-journal")
    journal.write_bytes(head.ljust(512, b"\0") + (1).to_bytes(4, "big") + name + tail)
    with pytest.raises(CryoPickError, match="names a file that SQLite would remove"):
        Manifest(tmp_path, ENTRY)
    assert precious.read_text() == "mine"


@pytest.mark.parametrize("hostile", ["../../../precious", "{}/precious"])
def test_an_owner_that_is_a_path_removes_nothing(tmp_path, hostile):
    folder = tmp_path / "download"
    folder.mkdir()
    ours(folder)
    precious = tmp_path / "precious"
    precious.touch()
    written(folder, f"UPDATE files SET owner = '{hostile.format(tmp_path)}'")
    with Manifest(folder, ENTRY) as manifest:
        manifest.select("data", role=None, fits=lambda path: True, limit=None)
        manifest.is_settled(("listed",))
        assert manifest.claim(("listed",)).path == "data/a.mrc"
    assert precious.exists()


def test_a_part_outside_that_a_row_names_is_not_removed(archive, micrographs, tmp_path):
    folder = tmp_path / "download"
    download(folder)
    precious = tmp_path / "precious.mrc.part"
    precious.touch()
    below = micrographs[0].rpartition("/")[0]
    up = "../" * (below.count("/") + 2)
    outside = f"{below}/{up}/precious.mrc"
    written(folder, f"UPDATE files SET path = '{outside}', state = 'listed' WHERE path = '{micrographs[0]}'")
    download(folder)
    assert precious.exists()
