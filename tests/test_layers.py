"""What may import what: the tables of layers in daemon/README.md and convert/README.md, held against the code.

Run as `python -m tests.test_layers` to print how many rooms, layers, imports between rooms and circles there are.
"""

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.daemon import ROOT

PACKAGES = [(ROOT / "daemon", "dogid"), (ROOT / "convert", "dogid_convert")]
Imports = dict[str, set[str]]


class Module(NamedTuple):
    """A module of a package: its dotted name without the package's, and the modules of the package that it imports."""

    name: str
    imports: set[str]


def modules(folder: Path, package: str) -> list[Module]:
    """Read every module of a package; imports under `if TYPE_CHECKING` count like all others."""
    files = {_module_name(path, folder): path for path in (folder / package).rglob("*.py")}
    return [
        Module(name.removeprefix(f"{package}."), {found.removeprefix(f"{package}.") for found in _imports(path, files)})
        for name, path in files.items()
        if name != package
    ]


def _module_name(path: Path, folder: Path) -> str:
    return ".".join(path.relative_to(folder).with_suffix("").parts).removesuffix(".__init__")


def _imports(path: Path, files: dict[str, Path]) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in files)
        elif isinstance(node, ast.ImportFrom) and node.module in files:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in files else node.module


def room(name: str) -> str:
    """The folder of the package that a module lies in, or its own name where it lies in none."""
    return name.split(".")[0]


def layers(readme: Path) -> dict[str, int]:
    """Read the table of layers: each room's layer."""
    found = {}
    for layer, rooms in re.findall(r"^\| (\d+) \| ([^|]+) \|", readme.read_text(), re.MULTILINE):
        for name in re.findall(r"`(\w+)/?`", rooms):
            found[name] = int(layer)
    return found


def imports_between_rooms(code: list[Module]) -> Imports:
    """Which rooms each room imports from."""
    between = defaultdict[str, set[str]](set)
    for module in code:
        between[room(module.name)] |= {room(name) for name in module.imports} - {room(module.name), ""}
    return between


@pytest.mark.parametrize(("folder", "package"), PACKAGES)
def test_every_room_has_a_layer_and_every_layer_exists(folder: Path, package: str) -> None:
    assert set(layers(folder / "README.md")) == {room(module.name) for module in modules(folder, package)}


@pytest.mark.parametrize(("folder", "package"), PACKAGES)
def test_imports_lead_to_lower_layers_only(folder: Path, package: str) -> None:
    layer_of = layers(folder / "README.md")
    climbing = [
        f"{module.name} imports {name}"
        for module in modules(folder, package)
        for name in sorted(module.imports)
        if name != package
        and room(name) != room(module.name)
        and layer_of[room(name)] >= layer_of[room(module.name)]
        and not (layer_of[room(name)] == layer_of[room(module.name)] == 1)  # layer 1 has no folders to keep apart
    ]
    assert not climbing


@pytest.mark.parametrize(("folder", "package"), PACKAGES)
def test_no_modules_import_each_other_in_a_circle(folder: Path, package: str) -> None:
    TopologicalSorter({module.name: module.imports for module in modules(folder, package)}).prepare()


@pytest.mark.parametrize(("folder", "package"), PACKAGES)
def test_every_folder_says_what_it_is_for_and_where_to_start(folder: Path, package: str) -> None:
    for path in (folder / package).rglob("*/__init__.py"):
        text = ast.get_docstring(ast.parse(path.read_text())) or ""
        start = re.search(r"start reading (?:at `(\w+\.py)`|where you need it)", text)
        assert start, f"{path} does not say where to start reading"
        assert start[1] is None or (path.parent / start[1]).exists()


def test_no_test_file_imports_another_test_file() -> None:
    for path in (ROOT / "tests").rglob("test_*.py"):
        assert not re.search(r"^(?:from|import) tests\.[\w.]*\btest_", path.read_text(), re.MULTILINE), path


def main() -> None:
    """Print the figures of the structure."""
    for folder, package in PACKAGES:
        code = modules(folder, package)
        between = imports_between_rooms(code)
        try:
            TopologicalSorter({module.name: module.imports for module in code}).prepare()
            circles = "no import circle"
        except CycleError as error:
            circles = f"a circle: {' -> '.join(error.args[1])}"
        count = sum(len(rooms) for rooms in between.values())
        floors = len(set(layers(folder / "README.md").values()))
        figures = f"{len(between)} rooms on {floors} layers, {count} imports between rooms, {circles}"
        sys.stdout.write(f"{package}: {figures}\n")


if __name__ == "__main__":
    main()
