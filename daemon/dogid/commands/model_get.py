"""`dogid model get NAME|URL`: download a published model to the shelf."""

import argparse
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dogid import settings
from dogid.commands.output import print_json, print_line, print_message, print_table
from dogid.errors import DogidError, UsageError

if TYPE_CHECKING:
    from dogid.shelf.catalogue import CatalogueEntry
    from dogid.shelf.download import Progress

_MOST_BYTES = 500_000_000  # of a file from an address of the user's; classifiers for small machines have 1 to 100 MB


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add NAME|URL, --list, --out, --sha256, --mirror, --json, and the state folder."""
    parser.add_argument("name", nargs="?", metavar="NAME|URL", help="a name of the catalogue, or an https address")
    parser.add_argument("--list", action="store_true", help="show the catalogue")
    parser.add_argument("-o", "--out", type=Path, metavar="FILE", help="where to write it (default: STATE/models/NAME)")
    parser.add_argument("--sha256", metavar="HEX", help="checksum of the file at URL (default: that of the catalogue)")
    parser.add_argument("--mirror", metavar="URL", help="a folder on another server that has the catalogue's files")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    settings.add_flags(parser, ("state",))


def run(args: argparse.Namespace) -> int:
    """Download, check and keep a model, or print the catalogue."""
    if args.list:
        _print_catalogue(as_json=args.json)
        return 0
    if args.name is None:
        raise UsageError("give a NAME of the catalogue (`dogid model get --list`) or an https address")
    document = _get(args)
    if args.json:
        print_json(document)
    else:
        done = "is there already" if document["downloaded"] is False else "written"
        print_line(f"{document['file']}: {done}, {document['bytes']:,} bytes, {document['labels']} labels")
        model = document["file"] if document["name"] is None or args.out is not None else document["name"]
        print_line(f"use it: dogid model activate {model}, or dogid run --model {model}")
    return 0


def _get(args: argparse.Namespace) -> dict[str, Any]:
    from dogid.model.classifier import load_model
    from dogid.shelf.catalogue import find_entry
    from dogid.shelf.download import RemoteFile, download
    from dogid.shelf.folder import path_on_shelf

    entry = None if "/" in args.name else find_entry(args.name)
    if entry is None and "://" not in args.name:
        from dogid.shelf.catalogue import CATALOGUE

        names = ", ".join(known.name for known in CATALOGUE)
        raise UsageError(f"{args.name}: no such model in the catalogue, which has {names}; nor is it an address")
    if entry is not None:
        remote = RemoteFile(_address(entry, args.mirror), entry.size, entry.sha256, entry.size)
        name = entry.name
    else:
        remote = RemoteFile(args.name, _MOST_BYTES, _checksum(args.sha256))
        name = _file_name(args.name)
    target = args.out or path_on_shelf(settings.load(args).state.absolute(), name)
    if target.is_dir():
        raise UsageError(f"{target}: is a folder; give the name of the file to write by -o FILE")
    downloaded, received = not _is_there(target, remote.sha256), remote.sha256
    if downloaded:
        trial = target if entry is not None else target.with_name(f".{target.name}.new")
        with _progress(target.name) as progress:
            received = download(remote, trial, progress)
        if trial != target:
            _accept(trial, target)
    try:
        model = load_model(target)
        labels, fed, warnings = len(model.labels), model.input.describe(), list(model.warnings)
    except UsageError as error:
        print_message(f"warning: kept, but it does not run yet: {error}")
        labels, fed, warnings = 0, None, [str(error)]
    return {
        "name": None if entry is None else entry.name,
        "file": str(target),
        "bytes": target.stat().st_size,
        "sha256": received,
        "licence": None if entry is None else entry.licence,
        "source": remote.url,
        "labels": labels,
        "input": fed,
        "warnings": warnings,
        "downloaded": downloaded,
    }


def _accept(trial: Path, target: Path) -> None:
    """Rename a file of an unknown address where it is a model. Raise UsageError, and remove it, where it is not."""
    from dogid.model.model_file import read_model_file

    try:
        read_model_file(trial)
    except UsageError as error:
        trial.unlink()
        reason = str(error).removeprefix(f"{trial}: ")
        raise DogidError(f"{target}: not written, as what was downloaded is {reason}") from error
    trial.replace(target)


def _address(entry: "CatalogueEntry", mirror: str | None) -> str:
    return entry.url if mirror is None else f"{mirror.rstrip('/')}/{entry.file}"


def _checksum(given: str | None) -> str | None:
    if given is None:
        return None
    if len(given) != 64 or not all(digit in "0123456789abcdef" for digit in given.lower()):
        raise UsageError(f"--sha256 {given}: not a SHA-256, which has 64 hexadecimal digits")
    return given.lower()


def _file_name(url: str) -> str:
    """Return the name under which a file of this address is kept."""
    import re
    from urllib.parse import unquote, urlsplit

    last = unquote(urlsplit(url).path).rstrip("/").rsplit("/", 1)[-1]
    name = re.sub(r"[^\w.-]+", "_", last).lstrip(".")
    if not name:
        raise UsageError(f"{url}: names no file; give a name by -o FILE")
    return name


def _is_there(target: Path, sha256: str | None) -> bool:
    import hashlib

    if sha256 is None or not target.is_file():
        return False
    return hashlib.sha256(target.read_bytes()).hexdigest() == sha256


@contextlib.contextmanager
def _progress(name: str) -> "Iterator[Progress | None]":
    """A progress bar on a terminal's stderr; None where stderr is none."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=None)
        yield lambda received, total: bar.update(task, completed=received, total=total)


def _print_catalogue(*, as_json: bool) -> None:
    from dataclasses import asdict

    from dogid.shelf.catalogue import CATALOGUE

    if as_json:
        print_json({"models": [asdict(entry) for entry in CATALOGUE]})
        return
    rows = [
        (
            entry.name,
            entry.title,
            f"{entry.labels} labels",
            f"{entry.size / 1e6:.1f} MB",
            entry.licence,
            entry.publisher,
        )
        for entry in CATALOGUE
    ]
    print_table(rows, ("name", "what", "labels", "size", "licence", "publisher"))
