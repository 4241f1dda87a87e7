"""Models are downloaded whole, checked and resumed, or not at all."""

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path

import pytest

from dogid.cli import main
from dogid.errors import DogidError, UsageError
from dogid.model.shipped import shipped_model
from dogid.shelf import folder
from dogid.shelf.catalogue import CATALOGUE, CatalogueEntry
from dogid.shelf.download import RemoteFile, check_address, download
from tests.commands.model_server import ModelServer, serving
from tests.support.collection import MODELS, needs
from tests.support.daemon import dogid
from tests.support.photos import photo, put
from tests.support.terminal import show_terminal

CONTENT = shipped_model().read_bytes()
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with serving(CONTENT) as served:
        yield served


def get(server: ModelServer, target: Path, *, sha256: str | None = SHA256, most_bytes: int = len(CONTENT)) -> str:
    size = None if sha256 is None else most_bytes
    return download(RemoteFile(f"{server.url}/m.tflite", most_bytes, sha256, size), target)


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_broken_line_is_resumed_where_it_broke(server: ModelServer, tmp_path: Path) -> None:
    server.break_after = [1000, 50_000]

    assert get(server, tmp_path / "m.tflite") == SHA256
    assert (tmp_path / "m.tflite").read_bytes() == CONTENT
    assert server.asked == ["", "bytes=1000-", "bytes=51000-"]
    assert left_in(tmp_path) == ["m.tflite"]


def test_a_server_without_ranges_starts_over(server: ModelServer, tmp_path: Path) -> None:
    server.break_after, server.ranges = [1000], False

    assert get(server, tmp_path / "m.tflite") == SHA256


def test_what_is_resumed_is_bound_to_the_version(server: ModelServer, tmp_path: Path) -> None:
    server.break_after, server.version = [1000], '"v1"'

    assert get(server, tmp_path / "m.tflite") == SHA256
    assert server.if_range == ['"v1"']


def test_download_that_was_only_to_be_renamed_asks_for_nothing(server: ModelServer, tmp_path: Path) -> None:
    (tmp_path / ".m.tflite.part").write_bytes(CONTENT)

    assert get(server, tmp_path / "m.tflite") == SHA256
    assert (server.asked, left_in(tmp_path)) == ([], ["m.tflite"])


@pytest.mark.parametrize("kept", [len(CONTENT) + 1, 1000])
def test_what_was_kept_and_does_not_fit_is_received_anew(
    server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    monkeypatch.setattr("dogid.shelf.download._PAUSES", (0.0,) * 4)
    (tmp_path / ".m.tflite.part").write_bytes(bytes(kept))
    server.busy = [416] if kept == 1000 else []

    assert get(server, tmp_path / "m.tflite") == SHA256
    assert server.asked[-1] == ""


def test_line_that_breaks_for_ever_is_given_up(
    server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dogid.shelf.download._MOST_ATTEMPTS", 3)
    server.break_after = [1000] * 9

    with pytest.raises(DogidError, match="the line broke 3 times; try again later"):
        get(server, tmp_path / "m.tflite")
    assert len(server.asked) == 3


def test_an_earlier_download_is_continued_by_the_next(server: ModelServer, tmp_path: Path) -> None:
    (tmp_path / ".m.tflite.part").write_bytes(CONTENT[:1000])
    server.break_after = [0]
    with pytest.raises(DogidError, match=r"1,000 bytes are kept: the same command goes on from there"):
        get(server, tmp_path / "m.tflite")
    assert left_in(tmp_path) == [".m.tflite.part"]

    get(server, tmp_path / "m.tflite")
    assert server.asked[-1] == "bytes=1000-"
    assert (tmp_path / "m.tflite").read_bytes() == CONTENT


def test_a_wrong_sha256_keeps_what_was_there(server: ModelServer, tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(b"before")

    with pytest.raises(DogidError, match=r"its SHA-256 is [0-9a-f]{64} instead of 0000.*nothing was kept"):
        get(server, tmp_path / "m.tflite", sha256="0" * 64)
    assert (tmp_path / "m.tflite").read_bytes() == b"before"
    assert left_in(tmp_path) == ["m.tflite"]


def test_no_network_is_reported_at_once(tmp_path: Path) -> None:
    closed = RemoteFile("http://127.0.0.1:9/m.tflite", 1000, SHA256)

    with pytest.raises(DogidError, match=r"cannot be reached: Connection refused; check the network"):
        download(closed, tmp_path / "m.tflite")
    assert left_in(tmp_path) == []


def test_an_endless_answer_is_cut_off(server: ModelServer, tmp_path: Path) -> None:
    server.endless = True

    with pytest.raises(DogidError, match="sends more than 300,000 bytes"):
        get(server, tmp_path / "m.tflite", sha256=None, most_bytes=300_000)
    assert not (tmp_path / "m.tflite").exists()


def test_a_file_announced_as_too_large_is_not_received(server: ModelServer, tmp_path: Path) -> None:
    with pytest.raises(DogidError, match="at most 1,000 are accepted"):
        get(server, tmp_path / "m.tflite", sha256=None, most_bytes=1000)
    assert left_in(tmp_path) == []


def test_a_full_disk_keeps_nothing(server: ModelServer, tmp_path: Path) -> None:
    target = tmp_path / "m.tflite"
    mount = f"mount -t tmpfs -o size=64k none {tmp_path}"
    get = f"{sys.executable} -m dogid model get {server.url}/m.tflite -o {target}"
    namespace = ["unshare", "--mount", "--map-root-user", "sh", "-c"]
    if subprocess.run([*namespace, mount], capture_output=True).returncode != 0:
        pytest.skip("this machine makes no mount namespaces")
    script = f"{mount} && {get}; status=$?; ls -A {tmp_path}; exit $status"
    done = subprocess.run([*namespace, script], capture_output=True, text=True)

    assert done.returncode == 1
    assert "the disk is full; make room there" in done.stderr
    assert done.stdout == ""


def test_disk_without_room_is_found_before_the_download(server: ModelServer, tmp_path: Path) -> None:
    with pytest.raises(DogidError, match=r"bytes are free, and 1,000,000,000,000,000,000 are needed; make room there"):
        get(server, tmp_path / "m.tflite", most_bytes=10**18)
    assert server.asked == []


def test_place_that_cannot_be_written_is_named(server: ModelServer, tmp_path: Path) -> None:
    put(tmp_path / "file", b"")
    for place, reason in ((Path("/sys/models"), "give another place by -o FILE"), (tmp_path / "file", "File exists")):
        with pytest.raises(DogidError, match=f"{place}/m.tflite: cannot be written: .*{reason}"):
            get(server, place / "m.tflite")
    assert server.asked == []


def test_a_missing_file_is_no_broken_line(server: ModelServer, tmp_path: Path) -> None:
    server.status = 404

    with pytest.raises(DogidError, match="the server answers 404"):
        get(server, tmp_path / "m.tflite")
    assert len(server.asked) == 1


def test_busy_server_is_asked_again(server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dogid.shelf.download._PAUSES", (0.0,) * 4)
    server.busy = [503, 429, 502]

    assert get(server, tmp_path / "m.tflite") == SHA256
    server.busy = [503] * 9
    with pytest.raises(DogidError, match=r"the server answers 503 Service Unavailable; try again later$"):
        get(server, tmp_path / "m.tflite")
    assert len(server.busy) == 9 - 4


@pytest.mark.parametrize("wait", [30, 3605])
@pytest.mark.parametrize("is_date", [False, True])
def test_server_that_asks_for_a_pause_gets_it(
    server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wait: int, is_date: bool
) -> None:
    monkeypatch.setattr("dogid.shelf.download._PAUSES", (0.0,) * 4)
    pauses: list[float] = []
    monkeypatch.setattr("dogid.shelf.download.time.sleep", pauses.append)
    server.busy, server.retry_after = [429], formatdate(time.time() + 1 + wait, usegmt=True) if is_date else str(wait)

    if wait == 30:
        get(server, tmp_path / "m.tflite")
        assert 0 < pauses[0] <= 31
    else:
        with pytest.raises(DogidError, match=r"429 Too Many Requests; try again in 3,60\d seconds, as it asks"):
            get(server, tmp_path / "m.tflite")
        assert pauses == []


@pytest.mark.parametrize(
    "url", ["http://example.org/m.tflite", "ftp://example.org/m", "file:///etc/passwd", "https:///m"]
)
def test_addresses_without_encryption_are_refused(url: str) -> None:
    with pytest.raises(UsageError, match="only https addresses"):
        check_address(url)


def test_address_is_of_this_machine_or_none() -> None:
    check_address("http://localhost:8000/m.tflite")
    with pytest.raises(UsageError, match="not an address"):
        check_address("http://[::1/m.tflite")


def test_redirects_lead_to_acceptable_addresses_only(server: ModelServer, tmp_path: Path) -> None:
    server.location = "http://example.org/m.tflite"

    with pytest.raises(UsageError, match=r"http://example.org/m.tflite: only https"):
        get(server, tmp_path / "m.tflite")


def test_redirects_without_end_are_given_up(server: ModelServer, tmp_path: Path) -> None:
    server.location = f"{server.url}/again"

    with pytest.raises(DogidError):
        get(server, tmp_path / "m.tflite")
    assert len(server.asked) < 12


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
    assert left_in(tmp_path) == ["models"]


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
