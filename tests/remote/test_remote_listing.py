"""Index pages of Apache and nginx, with everything that a server may write into them."""

import time

import pytest
from archive_server import ENTRY

from cryopick_ray.empiar.source import EmpiarSource, find_directory
from cryopick_ray.transfer import index_pages
from cryopick_ray.transfer.response import RefusedFile, RemoteFile
from cryopick_ray.transfer.transfer_errors import MissingError, RemoteError

ROW = (
    '<tr><td valign="top"><img src="/icons/x.gif" alt="[   ]"></td><td><a href="{0}">{0}</a></td>'
    '<td align="right">2013-10-24 15:49  </td><td align="right">{1}</td><td>&nbsp;</td></tr>'
)
PRE = '<img src="/icons/x.gif" alt="[   ]"> <a href="{0}">{0}</a>          2013-10-24 15:49   {1}   \n'
NGINX = '<a href="{0}">{0}</a>            24-Oct-2013 15:49            {1}\r\n'


@pytest.mark.parametrize("form", [ROW, PRE, NGINX], ids=["table", "pre", "nginx"])
@pytest.mark.parametrize(
    ("size", "n_bytes", "is_exact"),
    [
        ("64M", 64 * 2**20, False),
        ("1.2G", int(1.2 * 2**30), False),
        ("812", 812, True),
        ("67109888", 67109888, True),
        ("  - ", None, False),
    ],
)
def test_sizes_and_dates_of_an_index(form, size, n_bytes, is_exact):
    page = f"<html><pre>{form.format('a_1.2K.mrc', size)}{form.format('b.mrc', '7')}</pre></html>".encode()
    (href, rest), _ = index_pages.links(page)
    file = index_pages._file(href, rest)
    assert (file.path, file.size_bytes, file.is_exact) == ("a_1.2K.mrc", n_bytes, is_exact)
    assert file.modified in ("2013-10-24 15:49", "24-Oct-2013 15:49")


def test_a_page_without_sizes_still_lists():
    page = b'<ul><li><a href="a.mrc">a</a></li><li><a href=b.mrc>b</a><li><a>c</a><A HREF="d&amp;e.mrc">'
    assert [href for href, _ in index_pages.links(page)] == ["a.mrc", "b.mrc", "d&e.mrc"]


@pytest.mark.parametrize(
    "piece", [b"<a ", b"<a href=", b'<a href="', b"</a ", b"<!--", b"<!", b"&", b'<a x="']
)
def test_a_page_that_leaves_everything_open_is_read_in_time_of_its_length(piece):
    start = time.perf_counter()
    assert list(index_pages.links(piece * (2**21 // len(piece)))) == []
    assert time.perf_counter() - start < 5  # a tenth of a second; html.parser would take days


def walk(folder="data"):
    return list(EmpiarSource().files(ENTRY).walk(folder))


def test_folders_are_followed_and_links_to_other_places_are_not(archive, micrographs):
    archive.add("data/images/deeper/x.mrc", b"x")
    archive.extra_rows["data"] = ['<tr><td><a href="https://example.org/evil.mrc">evil</a></td></tr>']
    found = walk()
    assert sorted(one.path for one in found) == sorted(archive.files)
    sizes = {one.path: one.size_bytes for one in found}
    for path in micrographs:
        assert sizes[path] == pytest.approx(len(archive.files[path]), rel=0.01)


def test_hostile_names_are_reported_and_never_become_files(archive):
    hostile = ["../../x.mrc", "%2e%2e%2fx.mrc", "a%00.mrc", "n" * 300 + ".mrc", "%ff.mrc", "a\\b.mrc"]
    archive.extra_rows["data"] = [ROW.format(href, "1K") for href in hostile]
    found = walk()
    assert sum(isinstance(one, RefusedFile) for one in found) == len(hostile)
    assert sorted(one.path for one in found if isinstance(one, RemoteFile)) == sorted(archive.files)


def test_a_name_listed_twice_is_one_file(archive):
    archive.extra_rows["data/images"] = [ROW.format("gain_ref.mrc", "1K")]
    assert len(walk()) == len(archive.files)


def test_a_folder_within_itself_ends(archive):
    for depth in range(40):
        archive.extra_rows["data" + "/again" * depth] = [ROW.format("again/", "-")]
    assert [one for one in walk() if isinstance(one, RefusedFile)]


def test_folders_without_end_are_given_up(archive, monkeypatch):
    monkeypatch.setattr(index_pages, "MOST_FOLDERS", 10)
    archive.extra_rows["data"] = [ROW.format(f"{number}/", "-") for number in range(20)]
    with pytest.raises(RemoteError, match="more than 10 folders"):
        walk()


def test_a_page_without_end_is_given_up(archive, monkeypatch):
    monkeypatch.setattr(index_pages, "MOST_PAGE_BYTES", 100)
    with pytest.raises(RemoteError, match="longer than 100 bytes"):
        walk()


def test_a_folder_that_is_not_there(archive):
    with pytest.raises(MissingError):
        walk("nothing")
    archive.extra_rows["data"] = [ROW.format("gone/", "-")]
    assert [one.path for one in walk() if isinstance(one, RefusedFile)] == ["data/gone/"]


@pytest.mark.parametrize(
    ("declared", "folder"), [("data/images", "data/images"), ("images", "data/images"), ("wrong", "data")]
)
def test_the_folder_of_an_image_set_is_found_where_it_is(archive, declared, folder):
    found, files = find_directory(EmpiarSource().files(ENTRY), declared)
    assert found == folder
    assert len(list(files)) == len(archive.files)


def test_passing_faults_of_a_page_are_waited_out(archive):
    archive.faults["data"] = [("status", 503), ("status", 429, "0")]
    assert len(walk()) == len(archive.files)
