"""A client of many connections, in a process of its own so that it takes nothing from the daemon's.

`python -m tests.benchmarks.load URL` prints requests and latencies as JSON.
"""

import argparse
import asyncio
import json
import random
import time
from collections.abc import Callable
from urllib.parse import urlsplit


async def run(
    host: str, port: int, target: Callable[[], str], *, connections: int, seconds: float, rate: float
) -> list[float]:
    """Ask on so many connections for so long; rate is requests per second over all, 0 for as many as there can be.

    Return the milliseconds of each answer.
    """
    deadline, taken = time.perf_counter() + seconds, list[float]()
    pause = connections / rate if rate else 0.0

    async def client() -> None:
        reader, writer = await asyncio.open_connection(host, port)
        due = time.perf_counter() + random.uniform(0, pause)
        while time.perf_counter() < deadline:
            if pause:
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                due += pause
            began = time.perf_counter()
            writer.write(f"GET {target()} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise SystemExit(f"the daemon answers {head[:80]!r}")
            await reader.readexactly(_length(head))
            taken.append((time.perf_counter() - began) * 1000)
        writer.close()

    await asyncio.gather(*(client() for _ in range(connections)))
    return taken


def pages(rows: int) -> Callable[[], str]:
    """Targets that are a different page of so many rows each time; the plain first page for 0."""
    return (lambda: f"/results?before={random.randint(60, rows)}") if rows else (lambda: "/results")


def percentile(values: list[float], share: float) -> float:
    """The value below which this share of all lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            return int(line.split(b":")[1])
    raise SystemExit("an answer without a length")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--rows", type=int, default=0, help="ask for different pages of so many; 0: the first page")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rate", type=float, default=0, help="requests per second; 0: as many as there can be")
    args = parser.parse_args()
    place = urlsplit(args.url)
    assert place.hostname is not None
    assert place.port is not None
    began = time.perf_counter()
    taken = asyncio.run(
        run(
            place.hostname,
            place.port,
            pages(args.rows),
            connections=args.connections,
            seconds=args.seconds,
            rate=args.rate,
        )
    )
    figures = {
        "per_second": len(taken) / (time.perf_counter() - began),
        "p50": percentile(taken, 0.5),
        "p99": percentile(taken, 0.99),
    }
    print(json.dumps(figures))  # noqa: T201


if __name__ == "__main__":
    main()
