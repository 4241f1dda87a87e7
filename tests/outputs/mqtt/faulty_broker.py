"""A broker that speaks as much of MQTT as publishing needs; it refuses messages, or answers by what is no packet."""

import contextlib
import socketserver
import threading
from collections.abc import Callable, Iterator
from io import BufferedIOBase

_ACCEPTED = b"\x20\x03\x00\x00\x00"
_INVALID = b"\x00\x00"  # there is no packet of type 0
_PUBLISH, _DISCONNECT = 3, 14


@contextlib.contextmanager
def faulty_broker(
    is_faulty: Callable[[bytes], bool] = lambda _: False,
    *,
    answer_connect: Callable[[int], bytes] = lambda _: _ACCEPTED,
    refuse: Callable[[str], int] = lambda _: 0,
) -> Iterator[int]:
    """Run one; yield its port.

    is_faulty: called with each payload; whether its answer is invalid. answer_connect: given the version of the
    protocol, the packet that a client is answered by; without one, the connection is closed. refuse: given a topic, the
    reason code by which a message to it is acknowledged.
    """

    class Session(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(ConnectionError, EOFError):
                _, body = _read_packet(self.rfile)
                answer = answer_connect(body[6])  # behind the protocol's name
                self.wfile.write(answer)
                while answer:
                    kind, body = _read_packet(self.rfile)
                    if kind == _DISCONNECT:
                        return
                    if kind == _PUBLISH:
                        topic_end = 2 + int.from_bytes(body[:2])
                        payload = body[topic_end + 3 :]  # behind the packet's id, and no properties
                        number, reason = body[topic_end : topic_end + 2], refuse(body[2:topic_end].decode())
                        acknowledged = b"\x40\x03" + number + bytes([reason]) if reason else b"\x40\x02" + number
                        self.wfile.write(_INVALID if is_faulty(payload) else acknowledged)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def _read_packet(file: BufferedIOBase) -> tuple[int, bytes]:
    """Return a packet's type, and what follows its length. Raise EOFError at the end."""
    first = _read(file, 1)[0]
    length = shift = 0
    while True:
        byte = _read(file, 1)[0]
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return first >> 4, _read(file, length)


def _read(file: BufferedIOBase, size: int) -> bytes:
    found = file.read(size)
    if len(found) < size:
        raise EOFError
    return found
