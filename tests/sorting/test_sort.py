"""`dogid sort`: photos in folders by label, and back, whatever labels, names, disks and kills there are."""

import json
import os
import resource
import signal
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from dogid.errors import PhotoCode
from dogid.ledger.review_writer import say_label, say_verdict
from dogid.sorting.folder_names import file_names, label_folder
from tests.ledger.ledger_folder import Inbox, add, fail
from tests.sorting.sorted_photos import classify, contents, sort
from tests.support.daemon import environment
from tests.support.waiting import eventually

LABELS = ("pug", "Pug", "a/b", "..", ".hidden", "x\ny", "🐕" * 60, "e" * 255, "con", "_unsure", "50%", "c:\\d*?", " ")


def test_any_label_has_a_folder_and_undo_leaves_nothing(inbox: Inbox, tmp_path: Path) -> None:
    for number, label in enumerate(LABELS):
        classify(inbox, f"camera/{number}.jpg", label)
    before = contents(inbox.folder)
    target = tmp_path / "new" / "sorted"
    assert sort(inbox, "--to", target) == 0
    found = contents(target)

    assert sorted(found.values()) == sorted(f"camera/{number}.jpg" for number in range(len(LABELS)))
    folders = [name.partition("/")[0] for name in found]
    assert len({name.casefold() for name in folders}) == len(LABELS)
    assert {"pug", "a%2Fb", "%2E%2E", "x%0Ay", "%5Funsure"} < set(folders)
    assert all(len(os.fsencode(name)) <= 255 for name in folders)
    assert sort(inbox, "--undo", target) == 0
    assert not target.exists()
    assert contents(inbox.folder) == before


def test_same_names_get_their_contents_and_same_contents_come_once(inbox: Inbox, tmp_path: Path) -> None:
    for camera in ("gate", "pond"):
        classify(inbox, f"{camera}/1.jpg")
        classify(inbox, f"{camera}/twin.jpg", content="twin")
    (tmp_path / "sorted" / "pug").mkdir(parents=True)
    (tmp_path / "sorted" / "pug" / "1.jpg").write_text("somebody's own")
    for _ in range(2):
        assert sort(inbox, "--to", tmp_path / "sorted") == 0
        named = {f"pug/1-{sha256(f'{camera}/1.jpg'.encode()).hexdigest()[:10]}.jpg" for camera in ("gate", "pond")}
        assert set(contents(tmp_path / "sorted")) == {"pug/1.jpg", "pug/twin.jpg", *named}

    assert sort(inbox, "--undo", tmp_path / "sorted") == 0
    assert contents(tmp_path / "sorted") == {"pug/1.jpg": "somebody's own"}


def test_word_of_a_person_moves_a_photo(inbox: Inbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    number = classify(inbox, "1.jpg")
    fail(inbox, add(inbox, "broken.jpg"), PhotoCode.CORRUPT)
    add(inbox, "pending.jpg")
    places: list[str] = []
    for word in (None, say_label("wolf", "anna"), say_verdict("unsure", "anna"), say_verdict("withdrawn", "anna")):
        if word is not None:
            inbox.ledger.review([number], word)
        assert sort(inbox, "--to", tmp_path / "sorted", "--json") == 0
        places += contents(tmp_path / "sorted")
        assert len([path for path in (tmp_path / "sorted").iterdir() if path.is_dir()]) == 1
    reports = [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    assert reports[0]["left_out_reasons"] == {"failed as corrupt": 1, "not classified yet": 1}
    assert {"file": "broken.jpg", "reason": "failed as corrupt"} in reports[0]["left_out_photos"]
    assert places == ["pug/1.jpg", "wolf/1.jpg", "_unsure/1.jpg", "pug/1.jpg"]
    assert [(report["placed"], report["moved"], report["left_out"]) for report in reports] == [
        (1, 0, 2), (0, 1, 2), (0, 1, 2), (0, 1, 2),
    ]  # fmt: skip


def test_undo_keeps_what_was_changed_or_is_the_last_of_a_photo(
    inbox: Inbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("changed.jpg", "deleted.jpg", "overwritten.jpg", "plain.jpg", "taken.jpg"):
        classify(inbox, name)
    assert sort(inbox, "--to", tmp_path / "sorted") == 0
    (tmp_path / "sorted/pug/changed.jpg").write_text("cropped")
    (tmp_path / "sorted/pug/taken.jpg").unlink()
    (inbox.folder / "deleted.jpg").unlink()
    (inbox.folder / "overwritten.jpg").write_text("another")
    capsys.readouterr()
    assert sort(inbox, "--undo", tmp_path / "sorted", "--json", "--dry-run") == 1
    assert sort(inbox, "--undo", tmp_path / "sorted", "--json") == 1

    reports = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    report = reports[1]
    assert report == reports[0] | {"dry_run": False}
    assert (report["removed"], report["gone"], report["kept"]) == (1, 1, 3)
    assert set(contents(tmp_path / "sorted")) == {f"pug/{name}.jpg" for name in ("changed", "deleted", "overwritten")}
    assert any("deleted.jpg: its original is not at" in reason for reason in report["problems"])
    (inbox.folder / "deleted.jpg").write_text("deleted.jpg")
    assert sort(inbox, "--undo", tmp_path / "sorted") == 1
    assert "pug/deleted.jpg" not in contents(tmp_path / "sorted")


@pytest.mark.parametrize("kind", ["hardlink", "symlink"])
def test_links_are_made_moved_and_removed(inbox: Inbox, tmp_path: Path, kind: str) -> None:
    number = classify(inbox, "camera/1.jpg")
    original, target = inbox.folder / "camera/1.jpg", tmp_path / "sorted"
    assert sort(inbox, "--to", target, f"--{kind}") == 0
    assert (target / "pug/1.jpg").samefile(original)
    assert (target / "pug/1.jpg").is_symlink() == (kind == "symlink")
    inbox.ledger.review([number], say_label("wolf", "anna"))
    assert sort(inbox, "--to", target, f"--{kind}") == 0
    assert [path.name for path in target.rglob("*.jpg")] == ["1.jpg"]
    assert (target / "wolf/1.jpg").samefile(original)

    assert sort(inbox, "--undo", target) == 0
    assert original.read_text() == "camera/1.jpg"
    assert not target.exists()


def test_last_name_of_a_hard_link_is_kept(inbox: Inbox, tmp_path: Path) -> None:
    classify(inbox, "1.jpg")
    assert sort(inbox, "--to", tmp_path / "sorted", "--hardlink") == 0
    (inbox.folder / "1.jpg").unlink()

    assert sort(inbox, "--undo", tmp_path / "sorted") == 1
    assert contents(tmp_path / "sorted") == {"pug/1.jpg": "1.jpg"}


def test_hard_links_to_another_disk_are_refused_with_the_way_out(
    inbox: Inbox, capsys: pytest.CaptureFixture[str]
) -> None:
    target = Path("/dev/shm") / f"dogid-sort-{os.getpid()}"
    if target.parent.stat().st_dev == inbox.folder.stat().st_dev:
        pytest.skip("there is no second file system at /dev/shm")
    for number in range(3):
        inbox.ledger.review([classify(inbox, f"{number}.jpg")], say_verdict("unsure", "anna"))
    for flags in (("--dry-run",), ()):
        assert sort(inbox, "--to", target / "new", "--hardlink", *flags) == 2
        assert "lies on another disk than the inbox, and hard links need one: copy" in capsys.readouterr().err
        assert not target.exists()
    target.mkdir()
    assert sort(inbox, "--to", target, "--hardlink") == 2
    target.rmdir()


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (("--to", "{inbox}/sorted"), "lies in the inbox"),
        (("--to", "{inbox}/.."), "holds the inbox"),
        (("--to", "{state}/sorted"), "lies in the state folder"),
        (("--to", "{state}/ledger.db/x"), "lies in the state folder"),
        (("--undo", "{inbox}"), "there is no .dogid-sort.db"),
        (("--undo", "{inbox}", "--copy"), "--copy: --undo removes what is unchanged"),
    ],
)
def test_wrong_places_are_refused(
    inbox: Inbox, capsys: pytest.CaptureFixture[str], flags: tuple[str, ...], reason: str
) -> None:
    assert sort(inbox, *(flag.format(inbox=inbox.folder, state=inbox.state) for flag in flags)) == 2
    assert reason in capsys.readouterr().err


def test_folder_that_cannot_be_written_is_named(inbox: Inbox, capsys: pytest.CaptureFixture[str]) -> None:
    assert sort(inbox, "--to", "/proc/nowhere") == 1
    assert "/proc/nowhere: No such file or directory" in capsys.readouterr().err


def test_dry_run_says_what_would_be_done_and_makes_nothing(
    inbox: Inbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    classify(inbox, "1.jpg")
    classify(inbox, "2.jpg", "wolf")
    assert sort(inbox, "--to", tmp_path / "sorted", "--dry-run", "--json") == 0

    assert json.loads(capsys.readouterr().out)["folders"] == {"pug": 1, "wolf": 1}
    assert not (tmp_path / "sorted").exists()


def test_photo_that_has_changed_or_left_is_named(
    inbox: Inbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("changed.jpg", "gone.jpg", "here.jpg"):
        classify(inbox, name)
    (inbox.folder / "changed.jpg").write_text("another")
    (inbox.folder / "gone.jpg").unlink()
    assert sort(inbox, "--to", tmp_path / "sorted", "--json") == 1

    report = json.loads(capsys.readouterr().out)
    assert report["problems"] == [
        "changed.jpg: it has changed since it was classified", "gone.jpg: it has left the inbox",
    ]  # fmt: skip
    assert contents(tmp_path / "sorted") == {"pug/here.jpg": "here.jpg"}


def run_beside(inbox: Inbox, target: Path, most_bytes: int | None = None) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "dogid", "sort", "--to", str(target), "--inbox", str(inbox.folder)]
    limit = resource.RLIM_INFINITY if most_bytes is None else most_bytes
    return subprocess.Popen(
        [*command, "--state", str(inbox.state)], env=environment(), text=True, stderr=subprocess.PIPE,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )  # fmt: skip


def kill_at(process: "subprocess.Popen[str]", target: Path, goal: int) -> None:
    """End a run as a power cut does, once so many photos are there."""
    eventually(lambda: process.poll() is not None or len(list(target.rglob("*.jpg"))) >= goal, "it sorts")
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_kills_in_the_middle_lose_and_double_nothing(inbox: Inbox, tmp_path: Path) -> None:
    names = [f"{number % 3}/{number}.jpg" for number in range(150)]
    for number, name in enumerate(names):
        classify(inbox, name, LABELS[number % 2])
    target = tmp_path / "sorted"
    for goal in (1, 40, 90):
        kill_at(run_beside(inbox, target), target, goal)
    assert sort(inbox, "--to", target) == 0

    assert sorted(contents(target).values()) == sorted(names)
    assert not list(target.glob("*.part"))
    assert sort(inbox, "--undo", target) == 0
    assert not target.exists()
    assert sorted(path.read_text() for path in inbox.folder.rglob("*.jpg")) == sorted(names)


def test_full_disk_is_named_and_sorting_goes_on_later(inbox: Inbox, tmp_path: Path) -> None:
    classify(inbox, "1.jpg")
    classify(inbox, "2.jpg", content="large " * 100_000)
    process = run_beside(inbox, tmp_path / "sorted", most_bytes=200_000)
    _, message = process.communicate()

    assert process.returncode == 1
    assert "File too large: what was done is kept" in message
    assert contents(tmp_path / "sorted") == {"pug/1.jpg": "1.jpg"}
    assert sort(inbox, "--to", tmp_path / "sorted") == 0
    assert len(contents(tmp_path / "sorted")) == 2


def test_names_fit_every_file_system() -> None:
    long = "ä" * 126 + ".jpg"  # 256 bytes, as may be after percent-encoding
    for name in (*file_names(long, "a" * 64), *file_names("x" * 250 + ".jpeg", "b" * 64)):
        assert len(name.encode()) <= 255
        assert name.endswith((".jpg", ".jpeg"))
    assert file_names("no ending", "c" * 64)[1] == "no ending-cccccccccc"
    assert file_names(".jpg", "c" * 64)[0] == ".jpg"
    assert label_folder("pug ") == "pug%20"
    assert file_names('a:b?".jpg. ', "c" * 64, for_fat=True)[0] == "a%3Ab%3F%22.jpg.%20"


def test_names_are_encoded_where_the_disk_does_not_take_them(
    inbox: Inbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    classify(inbox, "08:00:01.jpg")
    assert sort(inbox, "--to", tmp_path / "disk") == 0
    monkeypatch.setattr("dogid.sorting.planning.takes_every_name", lambda _: False)  # as on a memory card
    assert sort(inbox, "--to", tmp_path / "card") == 0

    assert set(contents(tmp_path / "disk")) == {"pug/08:00:01.jpg"}
    assert set(contents(tmp_path / "card")) == {"pug/08%3A00%3A01.jpg"}
