import os
from pathlib import Path

import pytest
from source_files import ids, sources, touch

from cryopick_ray.errors import UsageError

pytestmark = pytest.mark.usefixtures("home")


class TestFolder:
    def test_ids_keep_folders_and_extensions_in_order(self):
        touch("s/b/1.mrc", "s/a/1.mrc", "s/1.TIF", "s/c.mrc.gz", "s/a/1.star", "s/notes.txt", "s/v.map")
        assert ids("s") == ["1.TIF", "a/1.mrc", "b/1.mrc", "c.mrc.gz"]
        assert {source.dataset for source in sources("s")} == {"s"}

    def test_hidden_files_and_folders_are_skipped(self):
        touch("s/1.mrc", "s/.1.mrc", "s/.trash/2.mrc")
        assert ids("s") == ["1.mrc"]

    def test_a_folder_named_like_a_micrograph_is_a_folder(self):
        touch("s/x.mrc/1.mrc")
        assert ids("s") == ["x.mrc/1.mrc"]

    def test_links_in_circles_end_and_double_nothing(self):
        touch("s/real/1.mrc", "s/real/deep/2.mrc")
        Path("s/all").symlink_to(".", target_is_directory=True)
        Path("s/a-link").symlink_to("real", target_is_directory=True)
        Path("s/real/deep/up").symlink_to("../..", target_is_directory=True)
        assert ids("s") == ["real/1.mrc", "real/deep/2.mrc"]

    def test_linked_folders_and_files_are_followed_under_the_link_s_name(self):
        touch("elsewhere/1.mrc", "elsewhere/2.mrc", "s/keep/3.mrc")
        Path("s/link").symlink_to("../elsewhere", target_is_directory=True)
        Path("s/2.mrc").symlink_to("../elsewhere/2.mrc")
        assert ids("s") == ["2.mrc", "keep/3.mrc", "link/1.mrc", "link/2.mrc"]

    def test_a_broken_link_is_left_to_its_reader(self):
        Path("s").mkdir()
        Path("s/gone.mrc").symlink_to("nowhere.mrc")
        Path("s/loop.mrc").symlink_to("loop.mrc")
        assert ids("s") == ["gone.mrc", "loop.mrc"]

    def test_dots_and_slashes_do_not_change_the_name(self, home):
        touch("s/1.mrc")
        expected = sources("s")
        assert sources("./s/") == sources("x/../s") == sources(str(home / "s")) == expected
        assert expected[0].path == home / "s/1.mrc"

    @pytest.mark.parametrize("text", ["s", "nowhere", "s/*.mrc", "n.xyz", "s/\x00", "s/*\x00.mrc", ""])
    def test_nothing_found_names_the_input_and_the_suffixes(self, text):
        touch("s/a.star", "n.xyz")
        with pytest.raises(UsageError, match=r"\.mrc\.bz2") as caught:
            sources(text or "s/a.st")
        assert repr(text or "s/a.st") in str(caught.value)

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may list everything")
    def test_a_folder_one_may_not_list_is_not_skipped(self):
        touch("s/1.mrc", "s/locked/2.mrc")
        Path("s/locked").chmod(0)
        with pytest.raises(UsageError, match="locked"):
            sources("s")


class TestSeveralInputs:
    def test_ids_start_with_the_data_set(self):
        touch("s/1.mrc", "t/1.mrc")
        assert ids("s", "t") == ["s/1.mrc", "t/1.mrc"]

    def test_equal_names_are_numbered_past_taken_ones(self):
        touch("p/s/1.mrc", "q/s/1.mrc", "r/s/1.mrc", "s-2/1.mrc")
        assert ids("p/s", "q/s", "s-2", "r/s") == ["s/1.mrc", "s-3/1.mrc", "s-2/1.mrc", "s-4/1.mrc"]

    def test_files_of_one_folder_are_one_data_set(self):
        touch("s/1.mrc", "s/2.mrc", "t/1.mrc")
        assert ids("s/2.mrc", "s/1.mrc") == ["2.mrc", "1.mrc"]
        assert ids("s/1.mrc", "t/1.mrc", "s/2.mrc") == ["s/1.mrc", "s/2.mrc", "t/1.mrc"]

    @pytest.mark.parametrize("again", ["s", "s/1.mrc", "s/*.mrc", "list.txt"])
    def test_a_file_that_comes_again_is_kept_once(self, again):
        touch("s/1.mrc", "s/2.mrc")
        Path("list.txt").write_text("s/1.mrc\ns/../s/1.mrc\n")
        assert ids("s", again) == ids("s")

    def test_ids_are_unique(self):
        touch("s/1.mrc", "s/s/1.mrc", "t/s/1.mrc")
        found = ids("s", "t/s", "t")
        assert len(set(found)) == len(found) == 3


class TestGlob:
    def test_the_fixed_folder_is_the_root(self):
        touch("s/day1/1.mrc", "s/day2/1.mrc", "s/day2/2.star", "s/night/1.mrc", "s/day1/.2.mrc")
        assert ids("s/day*/*") == ["day1/1.mrc", "day2/1.mrc"]
        assert sources("s/day?/1.mrc")[0].dataset == "s"
        assert ids("s/**/*.mrc") == ["day1/1.mrc", "day2/1.mrc", "night/1.mrc"]

    def test_circles_of_links_end(self):
        touch("s/1.mrc")
        for name in ("x", "y", "z"):
            Path(f"s/{name}").symlink_to(".", target_is_directory=True)
        assert ids("s/**/*.mrc") == ["1.mrc"]

    def test_a_name_with_brackets_that_exists_is_no_glob(self):
        touch("s/[1].mrc", "s/1.mrc")
        assert ids("s/[1].mrc") == ["[1].mrc"]

    def test_a_pattern_that_is_none_is_refused(self):
        touch("s/1.mrc")
        with pytest.raises(UsageError, match=r"\*\*\.mrc"):
            sources("s/**.mrc")


class TestNames:
    def test_relion_finds_the_image_from_its_project_or_by_its_whole_path(self, home):
        touch("project/mics/1.mrc", "outside/1.mrc")
        inside, outside = sources("project/mics", "outside", project="project")
        assert inside.relion_name == "mics/1.mrc"
        assert outside.relion_name == str(home / "outside/1.mrc")

    @pytest.mark.parametrize(
        "name", ["a\nb.mrc", "a\tb.mrc", "a\x1b[31m.mrc", "a\u2028b.mrc", "a\udcffb.mrc"]
    )
    @pytest.mark.parametrize("where", ["file", "folder"])
    def test_names_that_break_tables_are_refused(self, name, where):
        touch(f"s/{name}" if where == "file" else f"{name}/1.mrc")
        with pytest.raises(UsageError, match="rename") as caught:
            sources("s" if where == "file" else name)
        assert str(caught.value).isprintable()

    def test_spaces_and_umlauts_are_names(self):
        touch("s/grid 1/schön.mrc")
        assert ids("s") == ["grid 1/schön.mrc"]


def test_the_limit_takes_the_first():
    touch("s/1.mrc", "s/2.mrc", "t/1.mrc")
    assert ids("s", "t", limit=2) == ["s/1.mrc", "s/2.mrc"]
    assert len(ids("s", "t", limit=9)) == 3
    with pytest.raises(UsageError, match="`limit`"):
        sources("s", limit=0)


def test_no_input_is_refused():
    with pytest.raises(UsageError, match="no `inputs`"):
        sources()


@pytest.mark.parametrize("given", ["s", "s/*/*.mrc", "list.txt", "s.star"])
class TestNamesThatFit:
    """The same for a folder, a glob and lists."""

    @pytest.fixture(autouse=True)
    def listed(self, home):
        names = ["s/a/1_a.mrc", "s/a/1.mrc", "s/b/2_a.mrc"]
        touch(*names)
        Path("list.txt").write_text("\n".join(names))
        Path("s.star").write_text("data_\n\nloop_\n_rlnMicrographName #1\n" + "\n".join(names) + "\n")

    @pytest.mark.parametrize(
        ("options", "kept"),
        [
            ({"pattern": "*_a.mrc"}, ["a/1_a.mrc", "b/2_a.mrc"]),
            ({"exclude": ["*_a.mrc"]}, ["a/1.mrc"]),
            ({"pattern": "a/*", "exclude": ["1.*"]}, ["a/1_a.mrc"]),
            ({"exclude": ["1*", "c*"]}, ["b/2_a.mrc"]),
            ({"pattern": "*_a.mrc", "limit": 1}, ["a/1_a.mrc"]),
        ],
    )
    def test_what_fits_is_kept_and_what_is_left_out_is_told(self, given, options, kept):
        told = []
        assert ids(given, **options, say=told.append) == kept
        assert len(told) == 1
        assert "of 3 micrographs are left out" in told[0]

    def test_where_nothing_is_left_the_pattern_is_named(self, given):
        with pytest.raises(UsageError, match=r"none of 3 micrographs is left by `pattern` \('\*.eer'\)"):
            ids(given, pattern="*.eer")

    def test_where_all_fit_nothing_is_told(self, given):
        told = []
        assert len(ids(given, pattern="*.mrc", exclude=["z*"], say=told.append)) == 3
        assert told == []
