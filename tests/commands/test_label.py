"""`dogid label`: a person's word from the command line, beside a running daemon and without one."""

import json
import subprocess
import sys
from contextlib import closing
from hashlib import sha256
from pathlib import Path

from dogid.errors import PhotoCode
from dogid.ledger.outcomes import Failed
from tests.conftest import MakeDaemon
from tests.ledger.ledger_folder import Inbox, add, add_classified
from tests.support.daemon import environment
from tests.support.own_commands import run_here
from tests.support.photos import photo, put
from tests.support.privileges import needs_root
from tests.web.api.event_listener import Listener


def test_photos_are_labelled_beside_a_daemon_and_without_one(make_daemon: MakeDaemon, inbox: Path) -> None:
    daemon = make_daemon("--settle", "1").start()
    for number in range(3):
        put(inbox / f"{number}.jpg", photo(number))
    daemon.wait_for_all_answers(3)
    answer = daemon.wait_for_answer("0.jpg")["label"]

    with closing(Listener(daemon)) as listener:
        done = daemon.command("label", "0.jpg", str(inbox / "1.jpg"), "rotweiler", "--by", "anna", "--json")
        announced = [result for _, result in listener.receive(2)]
    labelled = json.loads(done.stdout)["results"]
    assert [result["reviewed"]["label"] for result in labelled] == ["rotweiler", "rotweiler"]
    assert labelled[0]["reviewed"]["by"] == "anna"
    assert announced == labelled == [daemon.wait_for_answer(name) for name in ("0.jpg", "1.jpg")]

    (inbox / "1.jpg").rename(inbox / "new.jpg")
    daemon.wait_for_answer("new.jpg")
    daemon.stop()
    hint = daemon.command("label", "1.jpg", "rottweiler")
    assert "is it rotweiler?" in hint.stderr
    assert hint.stdout.startswith("new.jpg: rottweiler (the model: ")
    renamed = daemon.command("label", "--rename", "rotweiler", "rottweiler", "--json")
    assert json.loads(renamed.stdout) == {"renamed": 1, "from": "rotweiler", "to": "rottweiler"}
    listed = json.loads(daemon.command("results", "--label", "rottweiler", "--json").stdout)["results"]
    assert {result["file"] for result in listed} == {"0.jpg", "new.jpg"}

    assert daemon.command("label", "2.jpg", "--unsure").stdout.startswith("2.jpg: unsure")
    assert daemon.command("label", "0.jpg", "--confirm").stdout.startswith(f"0.jpg: {answer} ")
    assert daemon.command("label", "0.jpg", "2.jpg", "--undo").returncode == 0
    listed = json.loads(daemon.command("results", "--reviewed", "true", "--json").stdout)["results"]
    assert [result["file"] for result in listed] == ["new.jpg"]
    assert f"  rottweiler (a person; the model: {listed[0]['label']} " in daemon.command("results").stdout
    assert "--label: there is no label 'rotweiler'" in daemon.command("results", "--label", "rotweiler").stderr
    assert "is it rottweiler?" in daemon.command("label", "2.jpg", "ROTTWEILER").stderr
    assert "withdrawn by" in daemon.command("why", "0.jpg").stdout


def test_label_names_what_is_wrong(make_daemon: MakeDaemon, inbox: Path) -> None:
    daemon = make_daemon().start()
    put(inbox / "0.jpg", photo(0))
    daemon.wait_for_answer("0.jpg")

    for args, status, reason in (
        (("0.jpg",), 2, "then the label"),
        (("none.jpg", "pug"), 1, "none.jpg: not in the ledger"),
        (("0.jpg", "0.jpg"), 2, "give the label after the photos"),
        (("0.jpg", "a" * 201), 2, "201 characters; 200 are allowed"),
        (("0.jpg", "none.jpg", "--confirm"), 1, "nothing was labelled"),
        (("0.jpg", "--rename", "a", "b"), 2, "no files"),
        (("0.jpg", "--confirm", "pug"), 1, "give photos only, and no label"),
        ((str(inbox), "pug"), 1, f"{inbox}: is a folder; nothing was labelled. Name files, as in {inbox}/*"),
        (("--rename", "a", "b"), 1, "labels that people gave: none"),
    ):
        done = daemon.command("label", *args)
        assert done.returncode == status
        assert reason in done.stderr
    assert daemon.wait_for_answer("0.jpg")["reviewed"] is None


def test_label_of_another_content_than_the_results_is_refused(
    make_daemon: MakeDaemon, inbox: Path, tmp_path: Path
) -> None:
    daemon = make_daemon().start()
    for number, name in enumerate(("cam.jpg", "over.jpg", "same.jpg")):
        put(inbox / name, photo(number))
    daemon.wait_for_all_answers(3)
    (inbox / "cam.jpg").rename(inbox / "new.jpg")
    daemon.wait_for_answer("new.jpg")
    daemon.stop()
    put(inbox / "cam.jpg", photo(3))
    put(inbox / "over.jpg", photo(4))
    put(inbox / "same.jpg", photo(2))
    elsewhere = put(tmp_path / "elsewhere" / "same.jpg", photo(5))

    for file, reason in (
        ("cam.jpg", "not in the ledger"),
        (str(inbox / "cam.jpg"), "not in the ledger"),
        ("over.jpg", "has changed since it was classified"),
        (str(inbox / "over.jpg"), "has changed since it was classified"),
        (str(elsewhere), f"give its path: {inbox / 'same.jpg'}"),
    ):
        done = daemon.command("label", file, "pug")
        assert (done.returncode, reason in done.stderr) == (1, True), done.stderr
    listed = json.loads(daemon.command("results", "--reviewed", "true", "--json").stdout)["results"]
    assert listed == []
    assert daemon.command("label", str(inbox / "same.jpg"), "pug").returncode == 0  # written again, and the same


def test_label_of_an_unreadable_photo_warns(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path)
    job = add(inbox, "cut.jpg")
    digest = sha256((inbox.folder / "cut.jpg").read_bytes()).hexdigest()
    inbox.ledger.record([Failed(job, job.version, PhotoCode.TRUNCATED, "it ends too early", digest)])
    done = run_here("label", "cut.jpg", "pug", "--state", str(inbox.state), "--inbox", str(inbox.folder))
    inbox.close()

    assert done.returncode == 0
    assert "cut.jpg: nothing can be learned from it while it cannot be read: it ends too early" in done.stderr


@needs_root
def test_full_disk_of_the_state_is_named(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path)
    add_classified(inbox, "a.jpg")
    inbox.close()
    inbox.state.rename(tmp_path / "copy")
    inbox.state.mkdir()
    script = 'mount -t tmpfs -o size=2m none "$1"; cp "$2"/* "$1"; head -c 9m /dev/zero > "$1"/fill; shift 2; "$@"'
    before = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh"]
    command = [sys.executable, "-m", "dogid", "label", "a.jpg", "pug", "--state", str(inbox.state)]
    done = subprocess.run(
        [*before, str(inbox.state), str(tmp_path / "copy"), *command, "--inbox", str(inbox.folder)],
        capture_output=True, text=True, check=False, env=environment(),
    )  # fmt: skip

    assert done.returncode == 2
    assert "as its disk is full; make room there" in done.stderr
