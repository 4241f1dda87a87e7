"""`dogid forget`: results of photos that have left the inbox, with and without a daemon that runs."""

import json

import pytest

from tests.support.daemon import DaemonProcess
from tests.support.photos import photo, put
from tests.support.waiting import eventually


@pytest.fixture
def left(daemon: DaemonProcess) -> DaemonProcess:
    """A daemon with a photo that is there and two that have left."""
    return let_two_leave(daemon)


@pytest.fixture(scope="module")
def shared_left(shared_daemon: DaemonProcess) -> DaemonProcess:
    """Such a daemon for tests that forget nothing."""
    return let_two_leave(shared_daemon)


def let_two_leave(daemon: DaemonProcess) -> DaemonProcess:
    """Have a daemon classify three photos, and remove two of them."""
    put(daemon.inbox / "stays.jpg", photo(1))
    gone = [put(daemon.inbox / name, photo(2 + at)) for at, name in enumerate(("first.jpg", "second.jpg"))]
    daemon.wait_for_all_answers(3)
    for path in gone:
        path.unlink()
    eventually(lambda: sum(result["present"] for result in daemon.results()) == 1, "both have left")
    return daemon


@pytest.mark.parametrize("running", [True, False])
def test_forget_absent_deletes_all_that_left(left: DaemonProcess, running: bool) -> None:
    left.get("/results")
    if not running:
        left.stop()
    dry = left.command("forget", "--absent", "--dry-run", "--json")
    assert json.loads(dry.stdout) == {"forgotten": ["first.jpg", "second.jpg"], "dry_run": True}
    done = left.command("forget", "--absent")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "forgotten: first.jpg\nforgotten: second.jpg\n"
    if not running:
        left.start()
    eventually(lambda: list(left.results_by_name()) == ["stays.jpg"], "only the photo that is there is listed")


def test_forget_names_one_photo(left: DaemonProcess) -> None:
    done = left.command("forget", "first.jpg", "--json")

    assert json.loads(done.stdout) == {"forgotten": ["first.jpg"], "dry_run": False}
    eventually(lambda: set(left.results_by_name()) == {"stays.jpg", "second.jpg"}, "it is forgotten")


def test_forget_refuses_photos_that_are_there(shared_left: DaemonProcess) -> None:
    done = shared_left.command("forget", "first.jpg", "stays.jpg")

    assert done.returncode == 1
    assert "stays.jpg: is in the inbox" in done.stderr
    assert len(shared_left.results()) == 3


@pytest.mark.parametrize("arguments", [[], ["--absent", "first.jpg"]])
def test_forget_needs_files_or_absent(shared_left: DaemonProcess, arguments: list[str]) -> None:
    assert shared_left.command("forget", *arguments).returncode == 2
    assert len(shared_left.results()) == 3


def test_words_are_forgotten_after_their_photo(left: DaemonProcess) -> None:
    names = ("first.jpg", "second.jpg")
    sha256 = left.results_by_name()["second.jpg"]["sha256"]
    assert left.command("label", *names, "pug").returncode == 0
    assert left.command("forget", *names).returncode == 0
    refused = left.command("forget", "first.jpg")
    assert (refused.returncode, "not in the ledger" in refused.stderr) == (1, True)

    done = left.command("forget", "first.jpg", sha256, "--reviews", "--json")
    assert json.loads(done.stdout)["forgotten"] == list(names)
    assert left.command("forget", *names, "--reviews").returncode == 1
