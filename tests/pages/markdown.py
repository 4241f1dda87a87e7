"""Reading the pages of the project: their sections, links, and the commands in them."""

import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from tests.support.daemon import ROOT

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


class Command(NamedTuple):
    """A command line of a page, as a reader would paste it."""

    page: str
    section: str
    text: str


@cache
def list_pages() -> dict[str, str]:
    """Return the text of each page by its path. Without git, of all that are in the folders of the project."""
    listed = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=False)
    names = listed.stdout.split() or [
        str(path.relative_to(ROOT))
        for path in ROOT.rglob("*.md")
        if not any(part.startswith(".venv") for part in path.parts)
    ]
    return {name: (ROOT / name).read_text() for name in sorted(names)}


def find_commands(page: str) -> list[Command]:
    """Return the commands of a page in their order: lines of `sh` blocks, and those after a `$` in `console` blocks."""
    return [
        Command(page, section, text)
        for section, body in _split_sections(list_pages()[page])
        for kind, block in _BLOCK.findall(body)
        for text in _find_in_block(kind, block)
    ]


def _split_sections(text: str) -> Iterator[tuple[str, str]]:
    hidden = _BLOCK.sub(lambda found: "x" * len(found[0]), text)  # a comment in a block is no heading
    starts = [(found.start(), found[1]) for found in re.finditer(r"^#+ (.+)$", hidden, re.MULTILINE)]
    ends = [start for start, _ in starts[1:]] + [len(text)]
    for (start, title), end in zip(starts, ends, strict=True):
        yield title, text[start:end]


def _find_in_block(kind: str, block: str) -> Iterator[str]:
    lines = block.replace("\\\n", "").splitlines()
    if kind == "sh":
        yield from (_strip_comment(line) for line in lines if line.strip() and not line.startswith("#"))
    elif kind == "console":
        yield from (_strip_comment(line[2:]) for line in lines if line.startswith("$ "))


def _strip_comment(line: str) -> str:
    """Remove a comment and repeated spaces; a `#` within a word or quotes is none."""
    return " ".join(re.sub(r"\s+#\s.*$", "", line).split())


def make_anchor(heading: str) -> str:
    """Return the anchor that the forge gives to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def find_links(page: str) -> list[tuple[str, str]]:
    """Return (path, anchor) of each link of a page into the project; the path is "" for the page itself."""
    text = _BLOCK.sub("", list_pages()[page])
    targets = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'<img src="([^"]+)"', text)
    return [
        (path, anchor)
        for target in targets
        if not re.match(r"\w+:", target)
        for path, _, anchor in [target.partition("#")]
    ]


def headings(page: Path) -> set[str]:
    """Return the anchors of a page's headings."""
    return {make_anchor(title) for title, _ in _split_sections(page.read_text())}
