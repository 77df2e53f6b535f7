"""STAR text as programs and people leave it."""

import pytest
import starfile
from hypothesis import given
from hypothesis import strategies as st

from cryopick_ray.micrographs import star_blocks
from cryopick_ray.micrographs.star_blocks import read_star

LOOP = "data_micrographs\n\nloop_\n_rlnMicrographName #1\n_rlnOpticsGroup #2\n"


@pytest.fixture
def read(tmp_path):
    def read(text, columns=None):
        path = tmp_path / "x.star"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_star(path, columns)

    return read


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("a.mrc 1", ["a.mrc", "1"]),
        (" a.mrc\t\t1 \t", ["a.mrc", "1"]),
        ("it's.mrc 1", ["it's.mrc", "1"]),
        ("a#1.mrc 1", ["a#1.mrc", "1"]),
        ("a.mrc 1 # bad ice", ["a.mrc", "1"]),
        ("'a b.mrc' 1", ["a b.mrc", "1"]),
        ('"it\'s b.mrc" 1', ["it's b.mrc", "1"]),
        ("'say \"x\" b.mrc' 1", ['say "x" b.mrc', "1"]),
        ('"a\a" b.mrc" 1', ['a" b.mrc', "1"]),
        ('"#x.mrc" ""', ["#x.mrc", ""]),
        ("a\u00a0b\u3000c\u0085.mrc 1", ["a\u00a0b\u3000c\u0085.mrc", "1"]),
        ("data_1.mrc 1", ["data_1.mrc", "1"]),
        ("loop_ 1", ["loop_", "1"]),
        ("NA nan", ["NA", "nan"]),
        ("0001 1e5", ["0001", "1e5"]),
    ],
)
def test_words_are_cut_where_relion_cuts_them(read, row, words):
    block = read(f"{LOOP}first.mrc 7\n{row}\n_last.mrc 9\n")["micrographs"]
    assert list(zip(*block.values(), strict=True)) == [("first.mrc", "7"), tuple(words), ("_last.mrc", "9")]


@pytest.mark.parametrize(
    "text",
    [
        LOOP + "a 1\nb 2\n",
        LOOP + "a 1\nb 2",
        LOOP.replace("data_", "DATA_").replace("loop_", "LOOP_") + "a 1\nb 2\n",
        "\ufeff# version 30001\n" + LOOP + "a 1\nb 2\n",
        (LOOP + "a 1\nb 2\n").replace("\n", "\r\n"),
        (LOOP + "a 1\nb 2\n").replace("\n", "\r"),
        LOOP.replace(" #1", "").replace(" #2", "") + "\n\na 1\n# a person's note\n\nb 2\n\n",
        "a word of a 'person\n" .replace("'", "") + LOOP + "a 1\nb 2\n",
        LOOP + "a 1\n" + LOOP + "b 2\n",
    ],
    ids=["plain", "no end", "capitals", "mark", "crlf", "cr", "parted", "before", "again"],
)  # fmt: skip
def test_one_table_in_many_ways_of_writing(read, text):
    assert read(text) == {"micrographs": {"rlnMicrographName": ["a", "b"], "rlnOpticsGroup": ["1", "2"]}}


def test_blocks_without_a_loop_and_without_rows(read):
    pairs = "data_\n_rlnA 1 # one\n_rlnB 'two words'\n_rlnC\n\n"
    none = "data_none\n\nloop_\n_rlnA #1\n\ndata_bare\nloop_\n\n"
    values = {"rlnA": ["1"], "rlnB": ["two words"], "rlnC": [""]}
    assert read(pairs + none) == {"": values, "none": {"rlnA": []}, "bare": {}}


def test_only_columns_asked_for_are_kept(read):
    assert read(LOOP + "a 1\nb 2\n", ("rlnOpticsGroup", "rlnVoltage")) == {
        "micrographs": {"rlnOpticsGroup": ["1", "2"]}
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LOOP + "a 1\nb\n", "line 7 has 1 words, expected 2"),
        (LOOP + "a 1\n'b 2\n", "line 7 opens a quote"),
        (LOOP + "a 1\n\n_rlnVoltage 3\n", "line 8 is no block"),
        ("data_a\nloop_\n_rlnA\n_rlnB\n\u2028\n", "line 5 has 1 words, expected 2"),
        ("data_a\n\u2028\n", "line 2 is no block"),
        (LOOP + "a 1\n" + LOOP.replace("OpticsGroup", "Voltage") + "b 2\n", "second data_micrographs"),
        ("data_a\nloop_\n_rlnA\n_rlnA\n1 1\n", "line 4 repeats rlnA"),
        ("data_a\n_rlnA 1\nloop_\n_rlnB\n1\n", "line 3 begins a loop"),
        ("data_a\n_rlnA 1 2\n", "line 2 gives rlnA 2 values"),
        (b"data_a\n_rlnA \xff\n", "no UTF-8"),
        ("x" * (star_blocks.MAX_LINE + 1), "line 1 has"),
        ("data_a\n" * (star_blocks.MAX_BLOCKS + 1), "begins block"),
        ("data_a\n" + "".join(f"_a{n} 1\n" for n in range(star_blocks.MAX_LABELS + 1)), "has label"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(read, text, message):
    with pytest.raises(ValueError, match=message):
        read(text)


word = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="\"'#"), min_size=1)


@given(rows=st.lists(st.tuples(word, word), min_size=1, max_size=20))
def test_tables_that_starfile_reads_are_read_alike(rows, tmp_path_factory):
    rows = [row for row in rows if not row[0].startswith(("_", "data_"))]
    path = tmp_path_factory.mktemp("star") / "x.star"
    path.write_text("data_x\n\nloop_\n_a #1\n_b #2\n" + "".join(f"{a} {b}\n" for a, b in rows), "utf-8")
    read = read_star(path)["x"]
    assert list(zip(read["a"], read["b"], strict=True)) == rows
    others = starfile.read(path, parse_as_string=["a", "b"])
    ours = [row for row in rows if not {"nan", "NaN", "<NA>"} & set(row)]
    theirs = list(others.dropna().itertuples(index=False, name=None))
    assert theirs == ours


def test_real_files_are_read_word_for_word_as_starfile_reads_them(real_data):
    blocks = 0
    for path in sorted((real_data / "formats").rglob("*.star")):
        ours = read_star(path)
        labels = [label for block in ours.values() for label in block]
        if path.name == "ActinLifeAct_00072_zerocol.star":  # a loop of nothing, where starfile fails
            continue
        for name, block in starfile.read(path, always_dict=True, parse_as_string=labels).items():
            if isinstance(block, dict):
                theirs = {label: [value] for label, value in block.items()}
            else:
                theirs = block.fillna("nan").to_dict("list")
            for label, values in theirs.items():
                assert ours[name][label][-len(values) or None :] == values
            blocks += 1
    assert blocks > 50
