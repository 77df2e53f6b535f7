import os
from pathlib import Path

import pytest

from cryopick_ray.errors import UsageError
from cryopick_ray.micrographs.sources import list_sources
from cryopick_ray.units import Optics

RELION_31 = """
# version 30001

data_optics

loop_
_rlnOpticsGroupName #1
_rlnOpticsGroup #2
_rlnMicrographOriginalPixelSize #3
_rlnVoltage #4
_rlnSphericalAberration #5
_rlnAmplitudeContrast #6
_rlnMicrographPixelSize #7
opticsGroup1 1 0.885 200.0 1.4 0.1 1.77
opticsGroup2 2 0.885 300.0 2.7 0.07 0.885

# version 30001

data_micrographs

loop_
_rlnMicrographName #1
_rlnCtfMaxResolution #2
_rlnOpticsGroup #3
MotionCorr/job002/Movies/b.mrc 4.6 2
MotionCorr/job002/Movies/a.mrc 4.8 1
"""

RELION_30 = """
data_

loop_
_rlnMicrographName #1
_rlnVoltage #2
_rlnSphericalAberration #3
_rlnAmplitudeContrast #4
mics/1.mrc 300.0 2.7 0.1
mics/2.mrc 300.0 2.7 0.1
"""


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def touch(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


def sources(*inputs: str, project: str = ".", **options):
    return list_sources(inputs, relion_project=Path(project), **options)


def ids(*inputs: str, **options) -> list[str]:
    return [source.micrograph_id for source in sources(*inputs, **options)]


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


class TestTextList:
    def test_comments_and_both_folders(self, home):
        touch("lists/a/1.mrc", "a/1.mrc", "b/2.mrc", "b/#3.mrc")
        Path("lists/mine.txt").write_text(
            f"# good ones\n\na/1.mrc\r\n  b/2.mrc \n{home}/b/#3.mrc\n", "utf-8-sig"
        )
        assert ids("lists/mine.txt") == ["lists/a/1.mrc", "b/2.mrc", "b/#3.mrc"]
        assert {source.dataset for source in sources("lists/mine.txt")} == {"mine"}

    def test_the_root_is_the_deepest_common_folder(self):
        touch("d/e/x/1.mrc", "d/e/y/1.mrc", "l.lst")
        Path("l.lst").write_text("d/e/y/1.mrc\nd/e/x/1.mrc\n")
        assert ids("l.lst") == ["y/1.mrc", "x/1.mrc"]
        Path("l.lst").write_text("d/e/y/1.mrc\n")
        assert ids("l.lst") == ["1.mrc"]

    def test_a_missing_file_among_others_is_left_to_its_reader(self, home):
        touch("d/1.mrc")
        Path("d/l.txt").write_text("1.mrc\n2.mrc\n")
        assert [source.path for source in sources("d/l.txt")] == [home / "d/1.mrc", home / "d/2.mrc"]

    def test_a_list_of_nothing_that_exists_is_refused(self):
        Path("l.txt").write_text("x/1.mrc\nx/2.mrc\n")
        with pytest.raises(UsageError, match=r"none of its 2 files.*x/1\.mrc"):
            sources("l.txt")

    @pytest.mark.parametrize("content", [b"", b"# only this\n", b"\xff\xfe\x00", b"\x00" * 50])
    def test_a_list_that_is_none_is_refused(self, content):
        Path("l.txt").write_bytes(content)
        with pytest.raises(UsageError, match=r"l\.txt"):
            sources("l.txt")


class TestStarList:
    def test_relion_31_names_optics_and_pixel_sizes_are_kept(self, home):
        touch("MotionCorr/job002/Movies/a.mrc", "MotionCorr/job002/Movies/b.mrc")
        Path("micrographs_ctf.star").write_text(RELION_31)
        second, first = sources("micrographs_ctf.star")
        assert first.relion_name == "MotionCorr/job002/Movies/a.mrc"
        assert first.path == home / first.relion_name
        assert (first.micrograph_id, first.dataset) == ("a.mrc", "micrographs_ctf")
        assert (first.optics, first.pixel_size_A) == (Optics(200, 1.4, 0.1), 1.77)
        assert (second.optics, second.pixel_size_A) == (Optics(300, 2.7, 0.07), 0.885)

    def test_the_movie_s_pixel_size_is_not_taken_for_the_micrograph_s(self):
        touch("MotionCorr/job002/Movies/a.mrc")
        lines = RELION_31.replace("_rlnMicrographPixelSize", "_rlnSomethingElse")
        Path("m.star").write_text(lines)
        assert {(source.pixel_size_A, source.original_pixel_size_A) for source in sources("m.star")} == {
            (None, 0.885)
        }

    def test_relion_30_has_all_in_one_block(self):
        touch("mics/1.mrc", "mics/2.mrc")
        Path("m.star").write_text(RELION_30)
        assert [(s.relion_name, s.optics) for s in sources("m.star")] == [
            ("mics/1.mrc", Optics(300, 2.7, 0.1)),
            ("mics/2.mrc", Optics(300, 2.7, 0.1)),
        ]

    def test_the_project_is_looked_in_before_the_star_s_folder(self, home):
        touch("project/mics/1.mrc", "stars/mics/1.mrc", "stars/mics/2.mrc")
        Path("stars/m.star").write_text(RELION_30)
        first, second = sources("stars/m.star", project="project")
        assert first.path == home / "project/mics/1.mrc"
        assert second.path == home / "stars/mics/2.mrc"
        assert second.relion_name == "mics/2.mrc"

    def test_names_that_look_like_numbers_stay_names(self):
        touch("007.mrc", "1e5.mrc")
        Path("m.star").write_text("data_\n\nloop_\n_rlnMicrographName #1\n007.mrc\n1e5.mrc\n")
        assert ids("m.star") == ["007.mrc", "1e5.mrc"]

    def test_micrographs_repeated_for_each_particle_count_once(self, real_data):
        touch("061.mrc")
        star = (real_data / "formats/star/cryoppp_style_10028.star").read_text()
        Path("m.star").write_text(star)
        assert ids("m.star") == ["061.mrc"]

    @pytest.mark.parametrize(
        "content",
        [
            "",
            "no star at all\n",
            "data_micrographs\n",
            "data_micrographs\n\nloop_\n_rlnMicrographMovieName #1\nm.tif\n",
            "data_micrographs\n\nloop_\n_rlnMicrographName #1\n",
            "data_micrographs\n\nloop_\n_rlnMicrographName #1\n_rlnOpticsGroup #2\n1.mrc\n2.mrc 1 2 3\n",
            "data_a\n\nloop_\n_rlnMicrographName #1\n_rlnMicrographName #2\n1.mrc 1.mrc\n",
            "data_micrographs\n\n_rlnMicrographName 'open\n",
            RELION_30 + RELION_30.replace("data_", "data_again"),
            "\xff\x00\x01",
        ],
    )
    def test_a_damaged_star_is_a_usage_error(self, content):
        touch("1.mrc")
        Path("m.star").write_text(content, "latin-1")
        with pytest.raises(UsageError, match=r"m\.star"):
            sources("m.star")

    def test_a_group_that_is_a_word_takes_no_optics_from_the_others(self):
        touch(*(f"MotionCorr/job002/Movies/{name}.mrc" for name in "abc"))
        lines = RELION_31.replace("4.8 1\n", "4.8 1\nMotionCorr/job002/Movies/c.mrc 4.8 other\n")
        Path("m.star").write_text(lines)
        found = {source.path.name: source.optics for source in sources("m.star")}
        assert found == {"a.mrc": Optics(200, 1.4, 0.1), "b.mrc": Optics(300, 2.7, 0.07), "c.mrc": None}

    def test_damaged_optics_are_no_optics(self):
        touch("MotionCorr/job002/Movies/a.mrc")
        Path("m.star").write_text(RELION_31.replace(" 200.0 1.4 0.1 1.77", " nan high -1 0"))
        _, first = sources("m.star")
        assert (first.optics, first.pixel_size_A, first.original_pixel_size_A) == (None, None, 0.885)


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
    def listed(self):
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
