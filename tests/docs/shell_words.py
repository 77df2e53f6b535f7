"""Shell text of the documentation as commands and their words; nothing is executed."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

PROMPT = "$ "
HERE_DOCUMENT = re.compile(r"<<-?\s*['\"]?(\w+)['\"]?")
BREAKS = frozenset(";|&\n()")


@dataclass(frozen=True)
class Step:
    """A command as it stands, and the lines that a page says it prints."""

    command: str
    printed: tuple[str, ...] = ()


def steps(language: str, text: str) -> list[Step]:
    """Return the commands of a block: of ``console`` what follows ``$ ``, of ``sh`` all of it at once."""
    if language != "console":
        return [Step(text)]
    found: list[list[str]] = []
    printed: list[list[str]] = []
    ends_with: str | None = None  # of a here-document
    for line in text.splitlines():
        goes_on = found and (ends_with or found[-1][-1].endswith("\\")) and not printed[-1]
        if line.startswith(PROMPT):
            found.append([line.removeprefix(PROMPT)])
            printed.append([])
            marked = HERE_DOCUMENT.search(line)
            ends_with = marked and marked[1]
        elif goes_on:
            found[-1].append(line)
            ends_with = None if line == ends_with else ends_with
        elif found:
            printed[-1].append(line)
        else:
            raise ValueError(f"a console block begins with {line!r}; expected a command after {PROMPT!r}")
    return [Step("\n".join(one), tuple(said)) for one, said in zip(found, printed, strict=True)]


def simple_commands(text: str) -> Iterator[list[str]]:
    """Yield the words of each simple command: quotes and comments as a shell takes them, variables as 1."""
    text = re.sub(r"\\\n", " ", text)
    text = re.sub(r"\$\{?\w+\}?", "1", text)
    reader = shlex.shlex(text.replace("\n", "\n\n"), posix=True, punctuation_chars="();|&\n")
    reader.whitespace = " \t"
    reader.whitespace_split = True
    reader.commenters = "#"
    words: list[str] = []
    for word in reader:
        if set(word) <= BREAKS:
            if words:
                yield words
            words = []
        else:
            words.append(word)
    if words:
        yield words


def arguments(words: list[str], program: str) -> list[str] | None:
    """Return what a simple command gives a program, up to a redirection; ``None`` if it does not call it.

    The program may stand behind others, as ``ssh HOST cryopick``.
    """
    at = next((i for i, word in enumerate(words) if word == program or word.endswith(f"/{program}")), None)
    if at is None:
        return None
    after = words[at + 1 :]
    ends = (i for i, word in enumerate(after) if re.match(r"\d?[<>]", word))
    return after[: next(ends, len(after))]
