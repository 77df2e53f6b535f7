"""What stands under a name before, while and after something is published there."""

import os
import stat

import pytest

from cryopick_ray.errors import UsageError
from cryopick_ray.store.publish import (
    ASIDE,
    check_links,
    is_aside,
    published,
    whole,
    whole_folder,
    write_whole,
)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_is_there_stays_until_the_new_is_whole(tmp_path):
    old = tmp_path / "table"
    old.mkdir()
    (old / "part").write_text("old")

    def fail():
        with whole_folder(old) as aside:
            assert (old / "part").read_text() == "old"
            (aside / "part").write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert names(old) == ["part"]
    assert (old / "part").read_text() == "old"
    with whole_folder(old) as aside:  # what the one that failed has left is no part of this
        (aside / "other").write_text("new")
    assert names(old) == ["other"]
    assert names(tmp_path) == ["table"]


def test_a_file_is_read_by_whom_the_umask_lets(tmp_path):
    for umask, mode in ((0o022, 0o644), (0o002, 0o664), (0o077, 0o600)):
        before = os.umask(umask)
        try:
            write_whole(tmp_path / f"{umask}", "x")
        finally:
            os.umask(before)
        assert stat.S_IMODE((tmp_path / f"{umask}").stat().st_mode) == mode


@pytest.mark.parametrize("text", ["a\nb\n", "a\r\nb\r\n", "\r", "Å µ 粒子"])
def test_text_is_written_as_it_stands_in_utf_8(tmp_path, text):
    with published(tmp_path / "x") as file:
        file.write(text)
    assert (tmp_path / "x").read_bytes() == text.encode()
    write_whole(tmp_path / "y", text)
    assert (tmp_path / "y").read_bytes() == text.encode()


def test_an_unfinished_file_is_known_by_its_name_and_no_other_is(tmp_path):
    with whole(tmp_path / "x.txt") as aside:
        assert is_aside(aside)
        assert aside.parent == tmp_path
        assert not (tmp_path / "x.txt").exists()
    assert names(tmp_path) == ["x.txt"]
    assert not any(is_aside(tmp_path / name) for name in (f"mine{ASIDE}", ".hidden", f".hidden{ASIDE}.txt"))


def test_links_that_are_replaced_or_spared_are_no_hindrance(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "to_file").symlink_to(tmp_path / "file")
    check_links(tmp_path)
    check_links(tmp_path / "nowhere")
    (tmp_path / "store").symlink_to(tmp_path)
    check_links(tmp_path, spare="store")
    with pytest.raises(UsageError, match="store is a symbolic link"):
        check_links(tmp_path)
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    with pytest.raises(UsageError, match="dangling is a symbolic link"):
        check_links(tmp_path, spare="store")
