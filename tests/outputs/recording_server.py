"""A receiver in a process of its own, to be killed at any moment: `python -m tests.outputs.recording_server`.

It writes each message that it accepts into a file, a line of JSON each, before it answers, and then answers wrongly
now and then, first of all to the third: what the sender sends again was received before.
"""

import argparse
import contextlib
import itertools
import json
import os
import random
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Note = Callable[[dict[str, Any]], bool]
"""Writes down a message; returns whether to answer as if it had failed."""

_FIRST_FAULT = 3  # message; a fault of the first would make the wait after a kill longer


def make_note(file: Path, fault_rate: float) -> Note:
    """Return what writes messages into a file, and has a share of them (0..1) answered wrongly."""
    out = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    chance = random.Random(os.getpid())
    counts = itertools.count(1)

    def note(message: dict[str, Any]) -> bool:
        os.write(out, json.dumps(message).encode() + b"\n")
        return fault_rate > 0 and (next(counts) == _FIRST_FAULT or chance.random() < fault_rate)

    return note


def serve_http(port: int, note: Note) -> None:
    """Receive webhooks, one connection after the other."""
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            data = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["data"]
            if note({"id": data["id"], "file": data["result"]["file"], "result": data["result"]["id"]}):
                self.close_connection = True  # without an answer
                return
            self.send_response(204)
            self.end_headers()

        def log_request(self, *_: Any) -> None:
            pass

    HTTPServer(("127.0.0.1", port), Handler).serve_forever()


def serve_smtp(port: int, note: Note) -> None:
    """Receive mails whose subject is the delivery's id, and the body the file's name: as little SMTP as that takes."""
    with socket.create_server(("127.0.0.1", port)) as server:
        while True:
            line, _ = server.accept()
            with line, contextlib.suppress(OSError, IndexError), line.makefile("rwb", buffering=0) as stream:
                _talk_smtp(stream, note)


def _talk_smtp(stream: Any, note: Note) -> None:
    stream.write(b"220 receiver\r\n")
    while words := stream.readline().split():
        match words[0].upper():
            case b"DATA":
                stream.write(b"354 go on\r\n")
                lines = [line.decode().strip() for line in iter(stream.readline, b".\r\n") if line]
                subject = next(line.removeprefix("Subject: ") for line in lines if line.startswith("Subject: "))
                failed = note({"id": subject, "file": next(line for line in reversed(lines) if line), "result": None})
                stream.write(b"451 later\r\n" if failed else b"250 ok\r\n")
            case b"QUIT":
                stream.write(b"221 bye\r\n")
                return
            case _:
                stream.write(b"250 ok\r\n")


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=("http", "smtp"))
    parser.add_argument("port", type=int)
    parser.add_argument("file", type=Path)
    parser.add_argument("--faults", type=float, default=0.0)
    args = parser.parse_args()
    while True:
        try:
            (serve_http if args.kind == "http" else serve_smtp)(args.port, make_note(args.file, args.faults))
        except OSError as error:  # the one before it still holds the port
            print(error, file=sys.stderr)  # noqa: T201
            time.sleep(0.05)


if __name__ == "__main__":
    main()
