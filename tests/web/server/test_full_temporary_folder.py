"""A temporary folder without room: uploads get the reason, and small ones go on."""

from pathlib import Path

import pytest

from tests.conftest import MakeDaemon
from tests.support.daemon import DaemonProcess
from tests.support.http_client import fetch, multipart_form
from tests.support.photos import photo
from tests.support.privileges import needs_root


@pytest.fixture(scope="module")
def large_photo() -> bytes:
    return photo(1, size=(1600, 1200), quality=98)


def daemon_with_temporary(make_daemon: MakeDaemon, folder: Path, size: int) -> DaemonProcess:
    """A daemon whose temporary folder has room for so many bytes."""
    folder.mkdir()
    script = f'mount -t tmpfs -o size={size} tmpfs "{folder}" && exec "$@"'
    before = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh"]
    return make_daemon(before=before, environ={"TMPDIR": str(folder)}).start()


@needs_root
@pytest.mark.parametrize("form", [False, True])
@pytest.mark.parametrize("rooms", [0.5, 1.5], ids=["none", "for one copy"])
def test_upload_without_room_gets_the_reason(
    make_daemon: MakeDaemon, tmp_path: Path, large_photo: bytes, rooms: float, *, form: bool
) -> None:
    daemon = daemon_with_temporary(make_daemon, tmp_path / "temporary", round(rooms * len(large_photo)))
    body, headers = multipart_form("a.jpg", large_photo) if form else (large_photo, {})
    reply = fetch(daemon.url, "/classify", method="POST", body=body, headers=headers)

    if rooms > 1 and not form:  # the body alone waits on the disk, once
        assert reply.status == 200
    else:
        assert (reply.status, reply.code) == (507, "insufficient_storage")
        message = f"{tmp_path}/temporary: the disk of the temporary folder is full; make room there"
        assert reply.document["error"]["message"].startswith(message)
    assert fetch(daemon.url, "/classify", method="POST", body=photo(2, size=(100, 100))).status == 200
    assert "exception" not in daemon.log_text()
