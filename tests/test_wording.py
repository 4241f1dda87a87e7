"""Words that this project does not use: the field has its own for them, and a reader should not have to learn ours.

Run as `python -m tests.test_wording` to print each use and how many there are.
"""

import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

from tests.support.daemon import ROOT

BANNED = {
    "tell": "report, read, return, log, indicate, print, contain",
    "tells": "reports, reads, returns, ...",
    "told": "reported, read, known, ...",
    "telling": "reporting, ...",
    "tray": "buffer",
    "errand": "command, task",
    "errands": "commands, tasks",
    "glance": "panel, summary",
    "amiss": "problem, failure",
    "news": "signal, new results",
    "laid": "started (a watch)",
    "lays": "starts (a watch)",
    "heed": "track, check",
    "heeded": "tracked",
    "muted": "suppressed",
    "widen": "convert to a wider type",
    "surprise": "negative log likelihood, loss",
    "cooled": "with temperature",
    "hurry": "prioritize",
    "patients": "target",
    "guesses": "attempts",
    "welcome": "dispatch",
    "clerk": "coordinator",
    "noticing": "observing, detecting",
}
"""A word, and what to write instead of it."""

_FOLDERS = ("daemon", "convert", "tests", "systemd", "models")
_TEXTS = {".md", ".html", ".js", ".css", ".svg", ".service", ".conf", ".sh", ".toml", ".in", ".sql", ""}

_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def uses(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line, word) for each banned word: in a Python file's names, comments and texts, in all of other files."""
    if path.suffix != ".py":
        for number, line in enumerate(path.read_text().splitlines(), 1):
            yield from ((number, word) for word in _find_banned(line))
        return
    kinds = {tokenize.NAME, tokenize.STRING, tokenize.COMMENT}
    for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline):
        if token.type in kinds:
            for offset, line in enumerate(token.string.splitlines()):
                yield from ((token.start[0] + offset, word) for word in _find_banned(line))


def _find_banned(text: str) -> list[str]:
    return [word.lower() for word in _WORDS.findall(text) if word.lower() in BANNED]


def all_uses() -> list[str]:
    """Return `file:line word` for each banned word in the code, its pages, units, scripts and documents."""
    files = [path for folder in _FOLDERS for path in sorted((ROOT / folder).rglob("*"))]
    files += [*sorted(ROOT.glob("*.md")), ROOT / "Makefile", ROOT / "pyproject.toml", ROOT / ".ci" / "run"]
    return [
        f"{path.relative_to(ROOT)}:{line} {word}"
        for path in files
        if path.is_file() and path.suffix in {".py", *_TEXTS} and path != Path(__file__)
        for line, word in uses(path)
    ]


def test_words_of_our_own_are_not_used() -> None:
    found = all_uses()
    hints = "\n".join(f"{use} (write: {BANNED[use.split()[1]]})" for use in found[:20])
    assert not found, f"{len(found)} uses of words that the field does not use:\n{hints}"


if __name__ == "__main__":
    found = all_uses()
    sys.stdout.write("\n".join(found) + f"\n{len(found)} uses\n")
