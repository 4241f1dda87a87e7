"""Outputs that write files, as other sides: what they wrote is what was received."""

import csv
import json
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

_LI = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}li"


class _Files:
    """They cannot die by themselves, but while the daemon writes them."""

    kind: str
    key = "path"

    def __init__(self, folder: Path) -> None:
        self.path = folder / f"{self.kind}-files" / f"it.{self.kind}"
        self.path.parent.mkdir()

    def describe_output(self) -> Sequence[str]:
        return (f'type = "{self.kind}"', f'{self.key} = "{self.path}"')

    def start(self) -> None:
        pass

    kill = close = start

    def messages(self) -> list[dict[str, Any]]:
        (found,) = self.path.parent.iterdir()  # a second was put aside
        return list(self.read(found))

    def read(self, path: Path) -> Iterable[dict[str, Any]]:
        raise NotImplementedError


class JsonLines(_Files):
    """The output `jsonl`."""

    kind = "jsonl"

    def read(self, path: Path) -> Iterable[dict[str, Any]]:
        for line in path.read_text().splitlines():
            event = json.loads(line)
            yield {"id": event["id"], "file": event["result"]["file"], "result": event["result"]["id"]}


class Events(JsonLines):
    """A `jsonl` of the events of a rule that all photos pass."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "rule-files" / "it.jsonl"
        self.path.parent.mkdir()

    def describe_output(self) -> Sequence[str]:
        return (*super().describe_output(), "all = false", "[[rule]]", 'name = "any"', 'to = ["rule"]')


class Table(_Files):
    """The output `csv`."""

    kind = "csv"

    def read(self, path: Path) -> Iterable[dict[str, Any]]:
        with path.open(newline="") as file:
            for row in csv.DictReader(file, strict=True):
                yield {"id": row["delivery"], "file": row["file"], "result": int(row["id"])}


class _Folder(_Files):
    key = "folder"

    def __init__(self, folder: Path) -> None:
        self.path = folder / f"{self.kind}-files"
        self.path.mkdir()


class Sidecars(_Folder):
    """The output `sidecar`."""

    kind = "sidecar"

    def messages(self) -> list[dict[str, Any]]:
        return [
            {"file": path.name.removesuffix(".xmp"), "label": ET.fromstring(path.read_bytes()).findtext(f".//{_LI}")}
            for path in sorted(self.path.glob("*.xmp"))
        ]


class SortedPhotos(_Folder):
    """The output `sort`."""

    kind = "sort"

    def messages(self) -> list[dict[str, Any]]:
        return [
            {"sha256": sha256(path.read_bytes()).hexdigest(), "label": path.parent.name.removeprefix("_")}
            for path in sorted(self.path.glob("*/*.jpg"))
        ]
