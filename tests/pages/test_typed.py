"""Every command on every page works as it stands there."""

import argparse
import re
import shutil
from collections import defaultdict
from collections.abc import Iterator
from functools import cache

import pytest

from dogid.commands.command_list import COMMANDS
from dogid.commands.command_parsers import load_command, make_command_parser
from tests.pages.markdown import Command, find_commands, list_pages
from tests.pages.typing_place import TypingPlace
from tests.support.daemon import ROOT

ELSEWHERE = {
    ("convert/README.md", "A model of your own classes"): "tests/convert/commands/test_train.py",
    ("convert/README.md", "In two steps"): "tests/convert/commands/test_train.py",
    ("daemon/OUTPUTS.md", "Home Assistant"): "tests/outputs/mqtt/test_daemon.py",
    ("daemon/OUTPUTS.md", "Node-RED by MQTT"): "tests/outputs/mqtt/test_daemon.py",
    ("daemon/OUTPUTS.md", "Grafana and Prometheus"): "tests/fleet/test_dashboard.py",
    ("daemon/OUTPUTS.md", "Phone"): "tests/outputs/test_recipes.py",
    ("daemon/OUTPUTS.md", "E-mail"): "tests/outputs/test_recipes.py",
    ("daemon/OUTPUTS.md", "Node-RED, or any program that speaks HTTP"): "tests/outputs/test_recipes.py",
    ("daemon/OUTPUTS.md", "A program of your own"): "tests/outputs/test_recipes.py",
    ("daemon/OUTPUTS.md", "Folder per label"): "tests/outputs/test_recipes.py",
    ("daemon/OUTPUTS.md", "Spreadsheet"): "tests/outputs/test_recipes.py",
    ("daemon/OUTPUTS.md", "GBIF"): "tests/outputs/test_recipes.py",
    ("systemd/README.md", "In a container"): "tests/service/trixie/test_image.py",
}
"""Sections whose commands are typed by another test, which has what they need."""

PAGES_ELSEWHERE = {"daemon/ARCHIVES.md": "tests/archive/test_archives_page.py"}
"""Pages that another test types from the first command to the last."""

NOT_TYPED = {
    ("models/README.md", "How to reproduce it"): "needs the 3,607 photos, which are not part of the project",
    (
        "models/BASES.md",
        "The bases",
    ): "downloads a package of 50 MB; the page has the SHA-256 of what it makes",
    ("models/BASES.md", "Models of one's own classes"): "needs the sets of photos, and an hour",
    ("tests/README.md", "Running them"): "this is what runs now",
    ("tests/README.md", "Adding a test"): "this is what runs now",
}
"""Sections whose commands no test types, and why. The flags of dogid's commands are checked all the same."""

DOWNLOADS = {"dogid model get birds", "dogid model activate birds"}
"""tests/commands/test_model_get.py types them with a server of its own."""
MAY_FAIL = {"dogid learn", "dogid learn --activate", "dogid model try mine.tflite cat=a.jpg dog=b.jpg"}
"""1 where the model did not pass the gate, as with two reviewed photos, or no normalisation fits made ones."""
ENDLESS = {"curl -sN localhost:8000/events"}


@cache
def _all_commands() -> tuple[Command, ...]:
    return tuple(command for page in list_pages() for command in find_commands(page))


def _is_elsewhere(command: Command) -> bool:
    return command.page in PAGES_ELSEWHERE or (command.page, command.section) in ELSEWHERE


def _choose_commands() -> dict[str, list[str]]:
    """Return by page what is typed here: each command once, on the first page that has it."""
    typed = {one.text for one in _all_commands() if _is_elsewhere(one)} | DOWNLOADS
    chosen = defaultdict[str, list[str]](list)
    for command in _all_commands():
        text = command.text.removeprefix("time ")
        if (command.page, command.section) not in NOT_TYPED and text not in typed:
            typed.add(text)
            chosen[command.page].append(text)
    return dict(chosen)


TYPED = _choose_commands()


def test_every_command_is_typed_or_says_why_not() -> None:
    places = {(command.page, command.section) for command in _all_commands()}
    assert places >= ELSEWHERE.keys()
    assert places >= NOT_TYPED.keys()
    assert {command.text for command in _all_commands()} >= DOWNLOADS | MAY_FAIL | ENDLESS
    for path in {*ELSEWHERE.values(), *PAGES_ELSEWHERE.values()}:
        assert ".md" in (ROOT / path).read_text(), f"{path} reads no page"
    assert TYPED.keys() >= {
        "README.md",
        "daemon/API.md",
        "daemon/LEARNING.md",
        "daemon/SETTINGS.md",
        "systemd/README.md",
    }


def test_flags_of_every_command_exist() -> None:
    flags = {name: set(_find_flags(make_command_parser(name, load_command(COMMANDS[name])))) for name in COMMANDS}
    for page, text in list_pages().items():
        if page != "CHANGELOG.md":
            for name, rest in re.findall(r"dogid (\w+)((?: [^\n`|#;]*)?)", text):
                named = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", rest))
                assert name not in COMMANDS or named <= flags[name], f"{page}: dogid {name}{rest}"


def _find_flags(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        yield from action.option_strings
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from _find_flags(below)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TypingPlace]:
    if shutil.which("curl") is None:
        pytest.skip("needs curl (apt install curl)")
    made = TypingPlace(tmp_path_factory.mktemp("pages"))
    try:
        made.start()
        yield made
    finally:
        made.daemon.close()


@pytest.mark.timeout(900)  # some twenty programs start one after the other
@pytest.mark.parametrize("page", TYPED)
def test_commands_of_a_page_succeed(page: str, place: TypingPlace) -> None:
    place.activate_small_model()
    for command in TYPED[page]:
        done = place.type(command)
        expected = {0, 1} if command in MAY_FAIL else {28} if command in ENDLESS else {0}
        assert done.returncode in expected, f"{command}\n{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr
