"""`dogid model get`: by name and by address, and what goes wrong before and after the download."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from dogid.cli import main
from dogid.model.shipped import shipped_model
from dogid.shelf import folder
from dogid.shelf.catalogue import CATALOGUE, CatalogueEntry
from tests.support.collection import MODELS, needs
from tests.support.daemon import dogid
from tests.support.model_server import ModelServer, serving
from tests.support.photos import photo, put
from tests.support.terminal import show_terminal

CONTENT = shipped_model().read_bytes()
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with serving(CONTENT) as served:
        yield served


@pytest.fixture
def named(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> CatalogueEntry:
    """The shipped model in the catalogue, at the local server."""
    entry = CatalogueEntry("dogs", "dogs", 4, 224, len(CONTENT), SHA256, f"{server.url}/dogs_v1.tflite")
    monkeypatch.setattr("dogid.shelf.catalogue.find_entry", lambda name: entry if name == "dogs" else None)
    return entry


def test_a_name_is_fetched_to_the_shelf_and_found_there(
    named: CatalogueEntry, server: ModelServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--state", str(tmp_path)]
    image = put(tmp_path / "photo.jpg", photo())
    assert main(["classify", str(image), "--model", "dogs", *flags]) == 2
    assert "dogs: not downloaded yet" in (printed := capsys.readouterr().err)
    assert "dogid model get dogs" in printed

    assert main(["model", "get", "dogs", *flags, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["name"], document["sha256"], document["licence"]) == ("dogs", named.sha256, "Apache-2.0")
    assert document["file"] == str(folder.path_on_shelf(tmp_path, "dogs"))
    assert main(["classify", str(image), "--model", "dogs", *flags]) == 0

    assert main(["model", "get", "dogs", *flags, "--mirror", "http://127.0.0.1:9"]) == 0
    assert "is there already" in capsys.readouterr().out
    assert len(server.asked) == 1


def test_an_address_gives_a_model_or_the_reason(
    server: ModelServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["model", "get", f"{server.url}/dogs%20v1.tflite", "--state", str(tmp_path)]) == 0
    assert (tmp_path / "models" / "dogs_v1.tflite").read_bytes() == CONTENT

    server.content = b"<!DOCTYPE html><html>Sign in</html>"
    assert main(["model", "get", f"{server.url}/x.tflite", "-o", str(tmp_path / "x.tflite")]) == 1
    assert "a web page, not the model" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["models"]


def test_model_that_does_not_run_is_kept_with_a_warning(
    server: ModelServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.content = CONTENT[: CONTENT.index(b"PK\x03\x04")]  # without its labels

    assert main(["model", "get", f"{server.url}/x.tflite", "-o", str(tmp_path / "x.tflite"), "--json"]) == 0

    printed = capsys.readouterr()
    assert "warning: kept, but it does not run yet" in printed.err
    document = json.loads(printed.out)
    assert (document["labels"], document["input"], len(document["warnings"])) == (0, None, 1)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "give a NAME of the catalogue"),
        (["URL/m.tflite", "-o", "."], r".: is a folder; give the name of the file"),
        (["URL/m.tflite", "--sha256", "12ab"], "--sha256 12ab: not a SHA-256"),
        (["URL/"], "names no file; give a name by -o FILE"),
    ],
)
def test_wrong_arguments_are_explained_before_the_download(
    server: ModelServer, capsys: pytest.CaptureFixture[str], arguments: list[str], reason: str
) -> None:
    assert main(["model", "get", *(each.replace("URL", server.url) for each in arguments)]) == 2
    assert reason in capsys.readouterr().err
    assert server.asked == []


def test_checksum_of_an_address_counts_and_a_terminal_shows_progress(
    server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = show_terminal(monkeypatch)
    get = ["model", "get", f"{server.url}/x.tflite", "-o", str(tmp_path / "x.tflite"), "--sha256"]

    assert main([*get, SHA256.upper()]) == 0
    assert "x.tflite" in terminal.getvalue()
    assert main([*get, "0" * 64]) == 1
    assert "its SHA-256 is" in terminal.getvalue()


def test_unknown_names_are_answered_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["model", "get", "fishes"]) == 2
    assert "birds, insects, things" in capsys.readouterr().err


def test_misspelt_name_is_answered_with_the_near_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["classify", str(tmp_path), "--model", "brids", "--state", str(tmp_path)]) == 2
    assert "did you mean birds?" in capsys.readouterr().err


def test_the_list_has_licence_size_and_publisher(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["model", "get", "--list", "--json"]) == 0
    models = json.loads(capsys.readouterr().out)["models"]
    assert main(["model", "get", "--list"]) == 0
    table = capsys.readouterr().out

    assert all(model["title"] in table and model["publisher"] in table for model in models)
    assert {"birds", "insects", "things"} <= {model["name"] for model in models}
    assert all(len(model["sha256"]) == 64 and model["licence"] and model["size"] for model in models)
    assert all(model["url"].startswith("https://") for model in models)


@needs(MODELS)
@pytest.mark.parametrize(
    "entry", [entry for entry in CATALOGUE if (MODELS / entry.file).is_file()], ids=lambda e: e.name
)
def test_published_models_run_by_name(entry: CatalogueEntry, tmp_path: Path) -> None:
    with serving((MODELS / entry.file).read_bytes()) as served:
        fetched = dogid("model", "get", entry.name, "--mirror", served.url, "--state", str(tmp_path), "--json")
    document = json.loads(fetched.stdout)
    done = dogid("classify", str(MODELS / "parrot.jpg"), "--model", entry.name, "--state", str(tmp_path), "--json")

    assert document["labels"] == entry.labels
    assert document["warnings"] == [] or "crane" in document["warnings"][0]
    assert "acaw" in json.loads(done.stdout)["results"][0]["label"]
