"""`dogid batch import` and `dogid export --from`: an archive where people look."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from dogid.ledger.database import open_for_reading
from dogid.ledger.reviews import list_changes_since
from tests.archive.archives import Batch, make_archive, results_of
from tests.support.daemon import DaemonProcess, dogid
from tests.support.http_client import fetch
from tests.support.photos import photo, put, put_all

pytestmark = pytest.mark.timeout(400)
_SECONDS = 180.0  # on a machine with much else to do


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an archive in `photos`, and its results, with embeddings, in `out`."""
    folder = tmp_path_factory.mktemp("archive")
    make_archive(folder / "photos")
    flags = ("-o", str(folder / "out"), "--engine", "local", "--embeddings")
    done = dogid("batch", str(folder / "photos"), *flags, timeout=_SECONDS)
    assert done.returncode == 1, done.stderr  # some are damaged
    return folder


@pytest.fixture(scope="module")
def running(archive: Path) -> Iterator[DaemonProcess]:
    """A daemon on the archive, into whose ledger the results were brought before its first start."""
    daemon = DaemonProcess(archive / "photos", archive / "state", "--settle", "1")
    done = daemon.command("batch", "import", str(archive / "out"), "--json", timeout=_SECONDS)
    assert json.loads(done.stdout)["new"] == 18
    try:
        yield daemon.start()
    finally:
        daemon.close()


def test_daemon_shows_imported_results_and_classifies_none_again(archive: Path, running: DaemonProcess) -> None:
    put(archive / "photos" / "new.jpg", photo(70))
    running.wait_for_answer("new.jpg")

    shown, expected = running.results_by_name(), results_of(archive / "out")
    assert shown.pop("new.jpg")["id"] == 19
    of_the_ledger = ("id", "present")
    assert {name: {k: v for k, v in one.items() if k not in of_the_ledger} for name, one in shown.items()} == {
        name: {k: v for k, v in one.items() if k not in of_the_ledger} for name, one in expected.items()
    }
    assert all(result["present"] for result in shown.values())
    (archive / "photos" / "new.jpg").unlink()


def test_imported_photos_are_reviewed_with_their_embeddings(archive: Path, running: DaemonProcess) -> None:
    offered = running.get("/review?limit=50")["results"]
    assert "camera 0/photo-000.jpeg" in {result["file"] for result in offered}
    result = running.results_by_name()["camera 0/photo-000.jpeg"]
    word = json.dumps({"label": "pug"}).encode()
    path = f"/results/{result['id']}/label"
    reply = fetch(running.url, path, method="POST", body=word, headers={"Content-Type": "application/json"})
    assert reply.status == 200

    db = open_for_reading(archive / "state")
    kept = db.execute("SELECT sha256, length(data) FROM reviewed_embedding").fetchall()
    db.close()
    assert [tuple(row) for row in kept] == [(result["sha256"], 1280)]


def test_imported_results_are_no_events_for_outputs(archive: Path, running: DaemonProcess) -> None:
    db = open_for_reading(archive / "state")
    changes = list_changes_since(db, 0, 100, with_superseded=True)
    db.close()
    answered = {change.result["file"] for change in changes if change.kind == "result" and change.result is not None}
    assert not answered & results_of(archive / "out").keys()
    assert running.command("audit", timeout=_SECONDS).returncode == 0


def test_running_daemon_is_left_alone(archive: Path, running: DaemonProcess) -> None:
    done = running.command("batch", "import", str(archive / "out"), timeout=_SECONDS)

    assert (done.returncode, done.stdout) == (2, "")
    assert "a daemon runs with this state folder: stop it for the import" in done.stderr


def test_import_of_another_place_is_idempotent(batch: Batch, archive: Path, tmp_path: Path) -> None:
    inbox, state = tmp_path / "inbox", tmp_path / "state"
    inbox.mkdir()
    flags = ("import", str(archive / "out"), "--state", str(state), "--inbox", str(inbox))
    first = batch.run("batch", *flags, "--json").summary
    again = batch.run("batch", *flags, "--json").summary

    assert (first["new"], first["absent"], first["failed_absent"]) == (14, 14, 4)
    assert (again["new"], again["known"]) == (0, 14)
    listed = json.loads(batch.run("results", "--state", str(state), "--inbox", str(inbox), "--json").stdout)["results"]
    (folder,) = {result["file"].partition("/")[0] for result in listed}
    assert folder.startswith("photos-")
    assert {result["file"] for result in listed} > {f"{folder}/%FF%FE.jpg", f"{folder}/50%25FF.jpg"}
    assert not any(result["present"] for result in listed)


def test_newer_answers_replace_older_ones_with_their_history(batch: Batch, tmp_path: Path) -> None:
    put(tmp_path / "in" / "a.jpg", photo(1))
    flags = ("--state", str(tmp_path / "state"), "--inbox", str(tmp_path / "in"), "--json")
    batch(tmp_path / "in", tmp_path / "old")
    put(tmp_path / "in" / "a.jpg", photo(2))
    batch(tmp_path / "in", tmp_path / "new")
    changed = batch.run("batch", "import", str(tmp_path / "old"), *flags).summary
    assert (changed["new"], changed["changed"]) == (0, 1)  # the daemon would classify it

    put(tmp_path / "in" / "a.jpg", photo(3))
    put(tmp_path / "in" / "b.jpg", photo(4))
    (tmp_path / "in" / "a.jpg").rename(tmp_path / "away.jpg")
    for out, counts in (("old", (1, 0, 0)), ("new", (0, 1, 0)), ("old", (0, 0, 1))):
        run = batch.run("batch", "import", str(tmp_path / out), *flags).summary
        assert (run["new"], run["replaced"], run["known"]) == counts
    (result,) = json.loads(batch.run("results", *flags).stdout)["results"]
    assert result["sha256"] == results_of(tmp_path / "new")["a.jpg"]["sha256"]


def test_archives_of_one_name_are_imported_side_by_side(batch: Batch, tmp_path: Path) -> None:
    inbox, flags = tmp_path / "inbox", ("--state", str(tmp_path / "state"), "--json")
    put(inbox / "photos" / "a.jpg", photo(3))
    for number, disk in enumerate(("one", "two")):
        put(tmp_path / disk / "photos" / "a.jpg", photo(number))
        batch(tmp_path / disk / "photos", tmp_path / f"out-{disk}")
        done = batch.run("batch", "import", str(tmp_path / f"out-{disk}"), "--inbox", str(inbox), *flags)
        assert done.summary["new"] == 1
    files = [result["file"] for result in json.loads(batch.run("results", *flags).stdout)["results"]]
    assert len(set(files)) == 2
    assert "photos/a.jpg" not in files


def test_one_photo_under_two_names_has_one_row(batch: Batch, tmp_path: Path) -> None:
    path = put(tmp_path / "in" / "a.jpg", photo(1))
    text = f"path,size\na.jpg,1\na.jpg,2\n./a.jpg,3\nb/../a.jpg,\n../in/a.jpg,\n/{path},\n"
    listed = put(tmp_path / "in" / "list.csv", text.encode())
    assert batch(listed, tmp_path / "out").summary["photos"] == 1
    put(listed, f"path\n{path}\na.jpg\n".encode())
    assert batch(listed, tmp_path / "out").summary["new"] == 1
    listed.unlink()
    assert list(results_of(tmp_path / "out")) == [str(path)]
    assert batch(tmp_path / "in", tmp_path / "out").summary["new"] == 1
    assert list(results_of(tmp_path / "out")) == ["a.jpg"]


def test_path_out_of_a_link_is_another_photo(batch: Batch, tmp_path: Path) -> None:
    put_all(tmp_path, {"in/b.jpg": photo(1), "real/b.jpg": photo(2), "real/deep/c.jpg": photo(3)})
    (tmp_path / "in" / "link").symlink_to(tmp_path / "real" / "deep")
    listed = put(tmp_path / "in" / "list.txt", b"b.jpg\nlink/../b.jpg\nlink/x/../../b.jpg\n")
    batch(listed, tmp_path / "out")
    found = results_of(tmp_path / "out")
    assert {file: result["sha256"] for file, result in found.items()} == {
        "b.jpg": hashlib.sha256(photo(1)).hexdigest(),
        "link/../b.jpg": hashlib.sha256(photo(2)).hexdigest(),
    }
    flags = ("--state", str(tmp_path / "state"), "--inbox", str(tmp_path / "in"), "--json")
    assert batch.run("batch", "import", str(tmp_path / "out"), *flags).summary["new"] == 2
    present = {
        result["file"]: result["present"] for result in json.loads(batch.run("results", *flags).stdout)["results"]
    }
    assert sorted(present.values()) == [False, True]
    assert present["b.jpg"]


@pytest.mark.parametrize("kind", ["csv", "megadetector", "camtrap-dp"])
def test_archive_is_exported_as_a_ledger_is(kind: str, batch: Batch, archive: Path, tmp_path: Path) -> None:
    target = tmp_path / "export"
    run = batch.run("export", "--from", str(archive / "out"), "-o", str(target), "--format", kind, "--json")

    assert (run.status, run.summary["photos"]) == (0, 18)
    text = (target / "media.csv" if kind == "camtrap-dp" else target).read_text()
    assert all(name in text for name in ("camera 0/photo-000.jpeg", "%FF%FE.jpg", "cut.jpg"))


def test_export_replaces_no_photo_and_no_result(batch: Batch, archive: Path) -> None:
    header = (archive / "out" / "dogid-batch.json").read_bytes()
    for place in ("out/dogid-batch.json", "out/new.csv", "photos/new.csv", "photos/50%FF.jpg"):
        flags = ("-o", str(archive / place), "--force")
        run = batch.run("export", "--from", str(archive / "out"), *flags)
        assert (run.status, "name another place with -o" in run.stderr) == (2, True)

    assert (archive / "out" / "dogid-batch.json").read_bytes() == header
    assert not list(archive.glob("*/new.csv"))
    run = batch.run("export", "--from", str(archive / "out"), "-o", str(archive / "out"), "--format", "camtrap-dp")
    assert (run.status, "lies among the results" in run.stderr) == (2, True)


def test_archive_is_filtered_as_a_ledger_is(batch: Batch, archive: Path, tmp_path: Path) -> None:
    def count(*flags: str) -> int:
        target = str(tmp_path / "out.csv")
        run = batch.run("export", "--from", str(archive / "out"), "-o", target, "--json", *flags)
        return int(run.summary["photos"])

    results = results_of(archive / "out").values()
    label = next(result["label"] for result in results if result["label"])
    assert count("--label", label) == sum(result["label"] == label for result in results)
    assert (count("--min-score", "0"), count("--since", "1d"), count("--until", "1d")) == (14, 18, 0)
    unknown = batch.run("export", "--from", str(archive / "out"), "--label", "cow")
    assert (unknown.status, "there is no label 'cow'" in unknown.stderr) == (2, True)
    missing = batch.run("export", "--from", str(tmp_path))
    assert (missing.status, "there are no results of `dogid batch` here" in missing.stderr) == (2, True)
