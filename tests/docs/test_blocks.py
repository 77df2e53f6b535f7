"""Blocks of the documentation mean to the tests what they mean to a reader."""

import doc_pages
import pytest
from doc_pages import Block
from shell_words import Step, arguments, simple_commands, steps
from test_pages_run import hold, run_block

CONSOLE = """\
$ cryopick run a \\
    --out b
3 micrographs
...
$ cat > x.yaml <<END
a: 1
END
$ ls
x.yaml
"""
SHELL = """\
for x in 1 2; do
  cryopick run 'a b'/$x --out "c # d" > log.txt  # and so on
done
ssh host .venv/bin/cryopick view RUN && make test; cd x
echo cryopick-leave
"""


def test_a_console_block_is_commands_and_what_they_print():
    assert steps("console", CONSOLE) == [
        Step("cryopick run a \\\n    --out b", ("3 micrographs", "...")),
        Step("cat > x.yaml <<END\na: 1\nEND"),
        Step("ls", ("x.yaml",)),
    ]
    with pytest.raises(ValueError, match="begins with 'ls'"):
        steps("console", "ls\n")


def test_a_shell_block_is_taken_apart_as_a_shell_does():
    found = [arguments(words, "cryopick") for words in simple_commands(SHELL)]
    assert [one for one in found if one is not None] == [
        ["run", "a b/1", "--out", "c # d"],
        ["view", "RUN"],
    ]
    assert [arguments(words, "make") for words in simple_commands("make docs | cat")] == [["docs"], None]


@pytest.mark.parametrize("shown", [("b",), ("a", "c"), ("a...", "...", "picked  ... of 12")])
def test_what_is_printed_in_order_may_be_shown(shown):
    hold(shown, "a\nb\nc\npicked 7 of 12\n", "here")


@pytest.mark.parametrize("shown", [("d",), ("c", "a"), ("picked ... of 13",), ("a...b",), ("a", "a")])
def test_what_is_not_printed_may_not_be_shown(shown):
    with pytest.raises(AssertionError, match="is not printed"):
        hold(shown, "a\nb\nc\npicked 7 of 12\n", "here")


def test_a_page_is_done_block_by_block(tmp_path):
    run_block(Block("here", "python", "# one/x.py\nprint(2 + 3)\n"), tmp_path)
    run_block(Block("here", "yaml", "# y.yaml\na: 1\n"), tmp_path)
    run_block(Block("here", "console", "$ python one/x.py && cat y.yaml\n5\na: 1\n"), tmp_path)
    run_block(Block("here", "sh", "touch z\n"), tmp_path)
    assert not (tmp_path / "z").exists()
    assert run_block(Block("here", "python", "print(open('y.yaml').read())\n"), tmp_path).endswith("a: 1\n\n")
    with pytest.raises(AssertionError, match="exit status 3"):
        run_block(Block("here", "console", "$ exit 3\n"), tmp_path)


def test_a_page_that_runs_says_so_in_its_front_matter(tmp_path):
    page = tmp_path / "a.md"
    page.write_text("---\nrun: true\n---\n\n# A `b` heading, twice\n\ntext\n")
    assert doc_pages.runs(page)
    assert doc_pages.anchors(page) == {"a-b-heading-twice"}
    other = tmp_path / "b.md"
    other.write_text("# run: true\n")
    assert not doc_pages.runs(other)
