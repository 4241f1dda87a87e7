"""Files are downloaded whole, checked and resumed, or not at all."""

import hashlib
import subprocess
import sys
import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path

import pytest

from dogid.errors import DogidError, UsageError
from dogid.model.shipped import shipped_model
from dogid.shelf.download import RemoteFile, check_address, download
from tests.support.model_server import ModelServer, serving
from tests.support.photos import put

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
