import os

import pytest

from cryopick_ray.errors import StoreError, UsageError
from cryopick_ray.settings.config import load_settings
from cryopick_ray.store.claim import claimed
from cryopick_ray.store.place import Place
from cryopick_ray.store.publish import below, published, whole, whole_folder, write_whole

RUN = load_settings({"inputs": ["x"], "diameter_A": 60})


@pytest.fixture
def mine(tmp_path):
    """A file and a folder with a file that are none of our business."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "thesis.txt").write_text("mine")
    return folder


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "folder"
    path.mkdir()
    return path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def untouched(mine):
    return names(mine) == ["thesis.txt"] and (mine / "thesis.txt").read_text() == "mine"


def test_a_file_appears_whole_or_not_at_all(folder):
    path = folder / "x.txt"
    path.write_text("old")

    def fail():
        with published(path) as file:
            file.write("new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text() == "old"
    write_whole(path, "new")
    assert path.read_text() == "new"
    assert names(folder) == ["x.txt"]


def test_a_file_that_says_the_same_already_stays_with_a_new_time(folder):
    path = folder / "x.txt"
    path.write_text("same")
    os.utime(path, ns=(1, 1))
    before = path.stat()
    write_whole(path, "same")
    assert path.stat().st_ino == before.st_ino
    assert path.stat().st_mtime_ns > before.st_mtime_ns
    for other in ("else", "sam", "same, and more"):
        write_whole(path, other)
        assert path.read_text() == other
    assert names(folder) == ["x.txt"]


def test_a_file_of_two_names_is_parted_though_it_says_the_same(folder, mine):
    path = folder / "x.txt"
    os.link(mine / "thesis.txt", path)
    write_whole(path, "mine")
    assert path.stat().st_ino != (mine / "thesis.txt").stat().st_ino
    assert untouched(mine)


def test_a_link_is_replaced_and_not_followed(folder, mine):
    path = folder / "x.txt"
    for target in (mine / "thesis.txt", folder / "nowhere", mine):
        path.symlink_to(target)
        write_whole(path, b"new")
        assert not path.is_symlink()
        path.unlink()
    assert untouched(mine)
    assert not names(folder)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_refused_at_once(folder, make):
    make(folder / "x")
    with pytest.raises(UsageError, match=r"x is (a folder|no plain file) where a file is to be written"):
        write_whole(folder / "x", "")
    with pytest.raises(UsageError), whole(folder / "x"):
        pass
    assert names(folder) == ["x"]


def test_no_folder_on_the_way_down_is_a_link(folder, mine):
    assert below(folder, "a/b/c.txt").parent.is_dir()
    (folder / "a" / "link").symlink_to(mine)
    with pytest.raises(UsageError, match="link is a symbolic link"):
        below(folder, "a/link/c.txt")
    root = folder.with_name("alias")
    root.symlink_to(folder)  # what a person names may be one
    write_whole(below(root, "a/d.txt"), "x")
    assert (folder / "a" / "d.txt").read_text() == "x"
    assert untouched(mine)


def test_a_folder_takes_the_place_of_another(folder, mine):
    (folder / "t").mkdir()
    (folder / "t" / "old").symlink_to(mine)
    (folder / "t.partial").symlink_to(mine)
    with whole_folder(folder / "t") as aside:
        (aside / "new").touch()
    assert names(folder) == ["t"]
    assert names(folder / "t") == ["new"]
    (folder / "u").symlink_to(mine)
    with pytest.raises(UsageError, match="u is a symbolic link"), whole_folder(folder / "u"):
        pass
    assert untouched(mine)


@pytest.mark.parametrize("name", [".lock", "config.yaml", ".lock-dangling"])
def test_a_claim_follows_no_link(folder, mine, name):
    target = mine / ("nothing" if "dangling" in name else "thesis.txt")
    (folder / name.partition("-")[0]).symlink_to(target)
    with pytest.raises(UsageError), claimed(folder, RUN, [], resume=False):
        pass
    assert untouched(mine)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_a_lock_that_is_no_file_is_named(folder, make):
    make(folder / ".lock")
    with pytest.raises(UsageError, match=r"\.lock is"), claimed(folder, RUN, [], resume=False):
        pass


@pytest.mark.parametrize("name", ["table", "picks", "coordinates", "micrographs", "download", "checkpoints"])
def test_a_claim_refuses_links_that_it_would_follow(folder, mine, name):
    with claimed(folder, RUN, [], resume=False):
        pass
    (folder / name).symlink_to(mine)
    with pytest.raises(UsageError, match=f"{name} is a symbolic link.*remove it"):
        claimed(folder, RUN, [], resume=True).__enter__()
    assert untouched(mine)


def test_objects_are_written_through_no_link(folder, mine):
    place = Place(str(folder))
    (folder / "x").symlink_to(mine / "thesis.txt")
    place.put("x", b"new")
    (folder / "y").symlink_to(mine / "thesis.txt")
    assert place.put_new("y", b"new")
    (folder / "z").symlink_to(folder / "nowhere")
    assert place.put_new("z", b"new")
    (folder / "deep").symlink_to(mine)
    for ask in (
        lambda: place.put("deep/thesis.txt", b"new"),
        lambda: place.put_new("deep/new", b"new"),
        lambda: place.put_file("deep/new", folder / "x"),
        lambda: place.delete("deep/thesis.txt"),
    ):
        with pytest.raises(StoreError, match=r"deep is a symbolic link.*remove it"):
            ask()
    assert [place.get(key) for key in "xyz"] == [b"new"] * 3
    assert untouched(mine)


def test_a_pipe_is_no_object_and_not_waited_for(folder):
    os.mkfifo(folder / "pipe")
    place = Place(str(folder))
    assert place.get("pipe") is None
    assert place.size("pipe") is None
    with pytest.raises(UsageError, match="pipe is no plain file"):
        place.put_new("pipe", b"")
