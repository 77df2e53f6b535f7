import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from cryopick_ray.errors import UsageError
from cryopick_ray.passes.decision_files import read_rows, text_of
from cryopick_ray.passes.decisions import Decision
from cryopick_ray.passes.notebook import Notebook

HERE = Decision("a.mrc", "remove", np.float32(1.004), 2)
THERE = Decision("b.mrc", "junk", 5, 6.126, 7.129)


def test_what_is_appended_is_in_the_file_with_who_and_when_and_is_undone_by_calls(tmp_path):
    folder = tmp_path / "run" / "curation"
    with Notebook(folder, "anna") as anna:
        assert anna.append([]) == [] == anna.rows == anna.undo()
        first = anna.append([HERE, THERE])
        second = anna.append([HERE])
        assert read_rows([folder]) == anna.rows == [*first, *second]
    assert [one.disc for one in first] == [(1, 2, 0), (5, 6.13, 7.13)]
    assert {row.by for row in anna.rows} == {"anna"}
    assert first[0].at == first[1].at < second[0].at
    with Notebook(folder, "anna") as again:
        assert again.rows == [*first, *second]
        assert again.undo() == second
        assert again.undo() == first
        assert again.undo() == [] == again.rows == read_rows([folder])


def test_people_see_each_other_and_undo_only_their_own(tmp_path):
    old = tmp_path / "old.csv"
    old.write_text("micrograph_id,action,x_px,y_px\nc.mrc,add,1,1\nc.mrc,remove,1,1\n")
    with Notebook(tmp_path, "anna") as anna, Notebook(tmp_path, "bo") as bo:
        one = anna.append([HERE])
        other = bo.append([THERE])
        assert other[0].at > one[0].at
        wanted = [Decision("c.mrc", "remove", 1, 1), Decision("c.mrc", "add", 1, 1), *one, *other]
        assert anna.everyone() == bo.everyone() == read_rows([tmp_path]) == wanted
        assert anna.undo() == one
        assert bo.everyone() == wanted[:2] + other
        old.unlink()
        assert anna.everyone() == other


def test_a_file_that_cannot_be_read_is_named_and_stops_nobody(tmp_path):
    with Notebook(tmp_path, "anna") as anna, Notebook(tmp_path, "bo") as bo:
        theirs = bo.append([THERE])
        assert anna.everyone() == theirs
        (tmp_path / "pipe.csv").symlink_to("/dev/zero")
        bo.path.write_text("as bo writes by hand\n")
        own = anna.append([HERE])
        assert own[0].at > theirs[0].at
        assert anna.everyone() == [*theirs, *own]
        assert sorted(one.name for one in anna.shared.unread) == ["bo.csv", "pipe.csv"]
        assert "no plain file" in anna.shared.unread[tmp_path / "pipe.csv"]
        (tmp_path / "pipe.csv").unlink()
        bo.path.write_text(text_of([]))
        assert anna.everyone() == own
        assert anna.shared.unread == {}


def test_a_folder_that_was_removed_is_made_again_with_this_person_s_decisions(tmp_path):
    folder = tmp_path / "c"
    with Notebook(folder, "anna") as anna:
        first = anna.append([HERE])
        shutil.rmtree(folder)
        assert anna.everyone() == first
        second = anna.append([THERE])
        assert read_rows([folder]) == [*first, *second]
        with pytest.raises(UsageError, match="is being written already"):
            Notebook(folder, "anna")
        shutil.rmtree(folder)
        with Notebook(folder, "anna") as other:
            kept = other.append([HERE])
            with pytest.raises(UsageError, match="is being written already"):
                anna.append([HERE])
            assert read_rows([folder]) == kept


def test_times_rise_whatever_clocks_say(tmp_path):
    ahead = Decision("a.mrc", "include", by="bo", at="2999-12-31T23:59:59.997Z")
    (tmp_path / "bo.csv").write_text(text_of([ahead]))
    with Notebook(tmp_path, "anna") as anna:
        times = [anna.append([HERE])[0].at for _ in range(2)]
        assert times == ["2999-12-31T23:59:59.998Z", "2999-12-31T23:59:59.999Z"]
        with pytest.raises(UsageError, match="after which none can be; take it out"):
            anna.append([HERE])
        assert read_rows([tmp_path]) == anna.everyone()
        (tmp_path / "bo.csv").unlink()
        anna.undo()
        anna.undo()
        stamps = [anna.append([HERE])[0].at for _ in range(50)]
        assert stamps == sorted(set(stamps))
        assert stamps[-1] < "2999"


def test_one_person_s_file_is_written_by_one(tmp_path):
    with Notebook(tmp_path, "anna"):
        with pytest.raises(UsageError, match="is being written already, by another page of `by` anna"):
            Notebook(tmp_path, "anna")
        Notebook(tmp_path, "anna b").close()
    Notebook(tmp_path, "anna").close()


@pytest.mark.parametrize(
    "name",
    [
        "",
        "..",
        "../anna",
        "a/b",
        ".anna",
        "a\nb",
        "a,b",
        "anna ",
        "x" * 65,
        "a.classes",
        "\x00",
        "漢" * 64 + "字",
    ],
)
def test_a_name_that_names_no_file_is_refused(tmp_path, name):
    with pytest.raises(UsageError, match="which can name no file; expected up to 64 letters"):
        Notebook(tmp_path / "c", name)
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize("name", ["Anna Müller", "a.b@c-d_e+f", "漢字", "cafe\u0301", "7"])
def test_people_may_be_called_as_they_are(tmp_path, name):
    with Notebook(tmp_path, name) as own:
        own.append([HERE])
        assert read_rows([tmp_path]) == own.rows


@pytest.mark.parametrize(
    "bad",
    [
        Decision("a.mrc", "junk", 1, 1, 0),
        Decision("a.mrc", "add", float("nan"), 1),
        Decision("a.mrc", "add", 1, 1e30),
        Decision("a.mrc", "burn", 1, 1),
        Decision("\ud800", "add", 1, 1),
    ],
)
def test_what_is_no_decision_is_refused_and_nothing_of_its_call_is_kept(tmp_path, bad):
    with Notebook(tmp_path, "anna") as anna:
        kept = anna.append([HERE])
        with pytest.raises(UsageError):
            anna.append([THERE, bad])
        assert read_rows([tmp_path]) == anna.rows == anna.everyone() == kept
    assert sorted(path.name for path in tmp_path.iterdir()) == [".anna.lock", "anna.csv"]


def test_nothing_is_written_through_links(tmp_path):
    target = tmp_path / "precious.csv"
    target.write_text(text_of([]))
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "anna.csv").symlink_to(target)
    with Notebook(tmp_path / "c", "anna") as anna:
        anna.append([HERE])
    assert target.read_text() == text_of([])
    (tmp_path / "c" / ".bo.lock").symlink_to(target)
    with pytest.raises(UsageError, match="symbolic link"):
        Notebook(tmp_path / "c", "bo")
    (tmp_path / "link").symlink_to(tmp_path / "c")
    with pytest.raises(UsageError, match="symbolic link"):
        Notebook(tmp_path / "link", "anna")


WRITER = """
import sys
from pathlib import Path
from cryopick_ray.passes.decisions import Decision
from cryopick_ray.passes.notebook import Notebook
book = Notebook(Path(sys.argv[1]), "anna")
print("ready", flush=True)
n = int(sys.argv[2])
while True:
    book.append([Decision(f"{n}/{part}.mrc", "exclude") for part in range(3)])
    print(n, flush=True)
    n += 1
"""


def test_what_a_killed_page_said_it_kept_is_there(tmp_path):
    moments = random.Random(5)
    begun, sizes = 0, []
    for _ in range(12):
        command = [sys.executable, "-c", WRITER, str(tmp_path), str(begun)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout.readline() == "ready\n"
            time.sleep(moments.uniform(0, 0.05))
            os.kill(writer.pid, signal.SIGKILL)
            told = [int(line) for line in writer.stdout.read().split()]
        rows = read_rows([tmp_path])
        calls = [int(row.micrograph_id.partition("/")[0]) for row in rows]
        assert sorted(calls) == sorted(3 * [*range(len(rows) // 3)])
        acknowledged = told[-1] + 1 if told else begun
        assert acknowledged <= len(rows) // 3 <= acknowledged + 1
        begun = len(rows) // 3
        sizes.append(begun)
    assert len(set(sizes)) > 6
    assert {path.suffix for path in Path(tmp_path).iterdir()} <= {".csv", ".lock", ".part"}
