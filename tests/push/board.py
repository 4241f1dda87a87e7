"""Large photos on a board with little memory: the real unit, in a control group of that size."""

import functools
import tempfile
import time
from pathlib import Path

from tests.push.large_photos import (
    make_flood,
    make_lossless_bomb,
    make_many_scans,
    make_progressive,
    make_webp_bomb,
    make_webps,
)  # fmt: skip
from tests.push.memory_group import MemoryGroup
from tests.push.report import Report
from tests.service.installation import build_wheels, installed_service
from tests.service.service import INBOX, Service
from tests.support.photos import photo
from tests.support.waiting import eventually

_SECONDS = 600.0  # for all photos of a step
_MB = 1 << 20


def push_board(megabytes: int, most: int, workers: int) -> Report:
    """Have a service with so many workers classify large photos in a group of so many MiB; it may use most of them."""
    report = Report()
    with (
        tempfile.TemporaryDirectory(prefix="dogid-push-") as folder,
        installed_service(build_wheels(Path(folder))) as service,
    ):
        group = MemoryGroup(service.machine, megabytes)
        try:
            service.configure(f"workers = {workers}\ndecode_timeout = 20")
            service.drop_in(*group.drop_in())
            _run_steps(service, group, report, most)
        finally:
            group.close()
    return report


def _run_steps(service: Service, group: MemoryGroup, report: Report, most: int) -> None:
    steps = {
        "30 WebPs of 12 megapixels": list(make_webps(30)),
        "6 progressive JPEGs of 50 megapixels": list(make_progressive(6)),
        "a lossless WebP of 89 megapixels": [("lossless.webp", make_lossless_bomb())],
        "a JPEG of 140,000 scans": [("scans.jpg", make_many_scans())],
        "a JPEG of 24 million segments": [("flood.jpg", make_flood())],
    }
    for what, photos in steps.items():
        group.peak = 0
        began = time.monotonic()
        names = _copy(service, photos)
        _copy(service, [(f"small-{names[0]}.jpg", photo(1) + names[0].encode())])
        found = eventually(functools.partial(_answers, service, names), f"{what} are answered", _SECONDS)
        seconds = time.monotonic() - began
        kinds = {kind: list(found.values()).count(kind) for kind in sorted(set(found.values()))}
        report.figures.append(f"{what}: {kinds}, {seconds:.0f} s, at most {group.peak / _MB:.0f} MiB")
        _check(report, service, group, what, most)
    uploads = {
        "a lossy WebP of 89 megapixels": make_webp_bomb(),
        "a JPEG of 140,000 scans": make_many_scans(),
        "an ordinary photo after it": photo(1),
    }
    for what, data in uploads.items():
        _upload(service, group, report, most, f"upload: {what}", data)


def _copy(service: Service, photos: list[tuple[str, bytes]]) -> list[str]:
    for name, data in photos:
        service.machine.write(f"/srv/test/{name}", data)
        service.machine.run("mv", f"/srv/test/{name}", f"{INBOX}/{name}")
    return [name for name, _ in photos]


def _answers(service: Service, names: list[str]) -> dict[str, str] | None:
    """Return how each photo has ended; None while some are pending."""
    found = service.results()
    answers = {}
    for name in names:
        result = found.get(name)
        if result is None or result["status"] == "pending":
            return None
        answers[name] = result["error"]["code"] if result["error"] else result["status"]
    return answers


def _upload(service: Service, group: MemoryGroup, report: Report, most: int, what: str, data: bytes) -> None:
    service.machine.write("/srv/test/upload", data)
    group.peak = 0
    said = service.machine.run(
        "curl", "-sS", "-m", "60", "-o", "/dev/null", "-w", "%{http_code} in %{time_total} s", "--data-binary",
        "@/srv/test/upload", "-H", "Content-Type: application/octet-stream", "http://127.0.0.1:8000/classify",
    ).stdout  # fmt: skip
    report.figures.append(f"{what} ({len(data):,} bytes): {said}, at most {group.peak / _MB:.0f} MiB")
    if said.split()[0] not in ("200", "422"):
        report.faults.append(f"{what} was answered by {said}")
    _check(report, service, group, what, most)


def _check(report: Report, service: Service, group: MemoryGroup, what: str, most: int) -> None:
    if group.peak > most * _MB:
        report.faults.append(f"{what}: {group.peak / _MB:.0f} MiB, more than {most}")
    if group.kills:
        report.faults.append(f"{what}: {group.kills} processes were killed")
    if service.restarts:
        report.faults.append(f"{what}: {service.restarts} restarts")
    bad = [
        name
        for name, result in service.results().items()
        if result["error"] and result["error"]["code"] != "too_large" and name != "flood.jpg"
    ]
    report.faults += [f"{what}: {name} failed" for name in bad]
