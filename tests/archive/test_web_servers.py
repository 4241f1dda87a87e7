"""Photos of a list on a web server: files of another size than the list says, rights that are missing, secrets."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from dogid.archive.manifest import write_manifest
from dogid.archive.manifest_file import ManifestFile
from dogid.archive.storage import LocalStorage
from tests.archive.archives import Batch, results_of
from tests.support.photos import photo, put, put_all

_MIB = 1 << 20
_ENDLESS = 200 * _MIB


class Server(ThreadingHTTPServer):
    """A web server that knows no requests for parts of a file, as many do; it notes what it was asked and gave."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.requests: list[str] = []
        self.sent = 0
        """Bytes of the large file."""


class Handler(BaseHTTPRequestHandler):
    """Gives a.jpg and large.jpg, and none of the others."""

    server: Server

    def do_GET(self) -> None:
        self.server.requests.append(f"{self.command} {self.path}")
        bodies = {"/a.jpg": photo(1), "/large.jpg": b""}
        status = 200 if self.path in bodies else 403 if self.path == "/refused.jpg" else 404
        self.send_response(status)
        if self.path == "/large.jpg":
            self.end_headers()
            self._give_endlessly()
            return
        self.send_header("Content-Length", str(len(bodies.get(self.path, b""))))
        self.end_headers()
        self.wfile.write(bodies.get(self.path, b""))

    do_HEAD = do_GET  # noqa: N815 - the name is http.server's

    def _give_endlessly(self) -> None:
        try:
            while self.server.sent < _ENDLESS:
                self.wfile.write(bytes(_MIB))
                self.server.sent += _MIB
        except OSError:
            pass

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_web_servers_answers_become_error_codes(batch: Batch, server: Server, tmp_path: Path) -> None:
    names = ("a", "large", "refused", "gone")
    lines = "".join(f"{server.url}/{name}.jpg,{10 if name == 'large' else ''}\n" for name in names)
    put_all(tmp_path, {"list.csv": b"path,size\n" + lines.encode()})

    batch(tmp_path / "list.csv", tmp_path / "out", "--max-bytes", "1000000", "--workers", "1")

    found = results_of(tmp_path / "out")
    codes = {file.rpartition("/")[2]: row["error"] and row["error"]["code"] for file, row in found.items()}
    assert codes == {"a.jpg": None, "large.jpg": "too_large", "refused.jpg": "unreadable", "gone.jpg": "vanished"}
    assert server.sent < _ENDLESS, "it is not read whole"
    assert server.requests == [f"GET /{name}.jpg" for name in names], "one request for each photo"


def test_last_slash_of_a_web_address_counts(tmp_path: Path) -> None:
    urls = ["https://photos.example/1", "https://photos.example/1/"]
    listed = ManifestFile(str(put(tmp_path / "list.txt", "\n".join(urls).encode())))
    (tmp_path / "out").mkdir()
    manifest = write_manifest(LocalStorage(tmp_path / "out"), "run", listed.iterate_entries(), locate=listed.locate)
    assert [entry.file for entries in manifest.iterate_ranges() for entry in entries] == urls


@pytest.mark.parametrize(
    "url",
    [
        "https://photos.example/a.jpg?X-Amz-Expires=60&X-Amz-Signature=hidden",
        "https://account.example/a.jpg?sv=1&sig=hidden",
        "ftp://me:hidden@photos.example/a.jpg",
    ],
)
def test_secrets_in_urls_are_refused_and_not_shown(url: str, batch: Batch, tmp_path: Path) -> None:
    put_all(tmp_path, {"list.txt": url.encode(), "in/a.jpg": photo(1)})

    runs = [
        batch(tmp_path / "list.txt", tmp_path / "out"),
        batch(url, tmp_path / "out2"),
        batch(tmp_path / "in", url),
        batch.run("export", "--from", url, "-o", str(tmp_path / "x.csv")),
    ]

    for run in runs:
        assert (run.status, run.stdout) == (2, "")
        assert "give credentials by the environment" in run.stderr
        assert "hidden" not in run.stderr
    assert not [path for path in tmp_path.glob("out*/**/*") if path.is_file() and b"hidden" in path.read_bytes()]
