"""Ledgers damaged in every place: no start is refused, no request fails for ever, and only rows that were hit go."""

import contextlib
import random
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from dogid.ledger.database import FILE_NAME
from tests.push.case_report import CaseReport
from tests.push.ledger_material import Daemon, Material, make_material, stable_part
from tests.support.daemon import DaemonProcess
from tests.support.photos import photo, put

_PAGE = 4096
_LEAF_TABLE = 13
_INDEX_KINDS = (2, 10)
_TORN_COPIES = 24
_TORN_PHOTOS = 150
Damage = Callable[[Path], None]


def flip_every_page(folder: Path, present: int = 700, departed: int = 300, each: int = 3, seed: int = 1) -> CaseReport:
    """Flip a bit in each page of a ledger, at `each` places, one at a time."""
    material, report, chance = make_material(folder, present, departed), CaseReport(), random.Random(seed)
    data = (material.state / FILE_NAME).read_bytes()
    report.figures["pages"] = len(data) // _PAGE
    for number in range(len(data) // _PAGE):
        for _ in range(each):
            place = number * _PAGE + chance.randrange(_PAGE)
            changed = bytearray(data)
            changed[place] ^= 1 << chance.randrange(8)
            hit = files_hit(material, data, place)
            _try_case(material, folder / "case", f"bit at {place}", _writing(bytes(changed)), hit, report)
    return report


def overwrite_every_page(folder: Path, present: int = 150, departed: int = 60, seed: int = 1) -> CaseReport:
    """Write a random byte, a null, an empty text's type, and runs of such bytes into each page, one at a time."""
    material, report, chance = make_material(folder, present, departed), CaseReport(), random.Random(seed)
    data = (material.state / FILE_NAME).read_bytes()
    report.figures["pages"] = len(data) // _PAGE
    for number in range(len(data) // _PAGE):
        for length in (1, 16):
            for written in (chance.randbytes(length), bytes(length), b"\x0c" * length, b"\x0d" * length):
                place = number * _PAGE + chance.randrange(_PAGE - length)
                changed = data[:place] + written + data[place + length :]
                hit = set[str]().union(*(files_hit(material, data, at) for at in range(place, place + length)))
                name = f"{written.hex()} at {place}"
                _try_case(material, folder / "case", name, _writing(changed), hit, report)
    return report


def damage_headers(folder: Path, present: int = 40, departed: int = 20, step: int = 1) -> CaseReport:
    """Change each byte of the header, and the first of the schema, in several ways."""
    material, report = make_material(folder, present, departed), CaseReport()
    data = (material.state / FILE_NAME).read_bytes()
    for place in range(0, 101, step):
        for value in {data[place] ^ 0xFF, data[place] ^ 1, data[place] ^ 0x80, 0, 0x20} - {data[place]}:
            changed = bytearray(data)
            changed[place] = value
            _try_case(material, folder / "case", f"byte {place} = {value}", _writing(bytes(changed)), set(), report)
    for length in (16, 100, _PAGE):
        for filler in (b"\0", b"\xff", b"x"):
            changed = bytearray(data)
            changed[:length] = filler * length
            _try_case(material, folder / "case", f"{length} times {filler!r}", _writing(bytes(changed)), set(), report)
    return report


def replace_tables(folder: Path, present: int = 40, departed: int = 20) -> CaseReport:
    """Give a daemon a ledger with tables of others, or one that lacks something."""
    material, report = make_material(folder, present, departed), CaseReport()
    everything = {result["file"] for result in material.results.values()}
    for name, damage in _foreign_ledgers():
        _try_case(material, folder / "case", name, damage, everything, report)
    with contextlib.closing(sqlite3.connect(material.state / FILE_NAME)) as db:
        made = db.execute("SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'").fetchall()
    for kind, name in made:
        hit = everything if name in ("photo", "review") else set()
        _try_case(material, folder / "case", f"no {name}", _running(f"DROP {kind} {name}"), hit, report)
    return report


def tear_live_state(folder: Path, copies: int = _TORN_COPIES, photos: int = _TORN_PHOTOS, seed: int = 1) -> CaseReport:
    """Copy the state folder of a daemon that works, file by file without a lock; start from each copy."""
    report, chance = CaseReport(), random.Random(seed)
    inbox = folder / "inbox"
    inbox.mkdir()
    daemon = DaemonProcess(inbox, folder / "state").start()
    try:
        for number in range(copies):
            for more in range(photos // copies):
                put(inbox / f"{number}-{more}.jpg", photo(number * 1000 + more))
            time.sleep(chance.uniform(0, 0.15))
            _copy_torn(folder / "state", folder / f"torn-{number}")
    finally:
        daemon.close()
    names = {path.name for path in inbox.iterdir()}
    for number in range(copies):
        user = Daemon(folder / f"torn-{number}", inbox)
        report.figures["torn copies"] += 1
        with _faults_noted(report, f"copy {number}"):
            user.start()
            user.reconcile()
            results = user.list_results()
            report.figures["moved aside"] += user.ledger.moved_aside is not None
            user.stop()
            if sorted(result["file"] for result in results) != sorted(names):
                report.faults.append(f"copy {number}: {len(results)} results of {len(names)} files")
    return report


def _copy_torn(state: Path, target: Path) -> None:
    target.mkdir()
    for name in (FILE_NAME, f"{FILE_NAME}-wal"):
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(state / name, target / name)


def _try_case(material: Material, state: Path, name: str, damage: Damage, hit: set[str], report: CaseReport) -> None:
    """Start from a damaged copy, use it as a daemon and its clients do, and compare it with the sound ledger."""
    material.copy(state)
    damage(state / FILE_NAME)
    report.figures["cases"] += 1
    user = Daemon(state, material.inbox)
    with _faults_noted(report, name):
        user.start()
        user.list_results()
        user.reconcile()
        user.maintain()
        user.reconcile()
        found: dict[str, dict[str, object]] = {}
        for result in user.list_results():
            if result["file"] in found:
                report.faults.append(f"{name}: {result['file']} has two results")
            found[result["file"]] = result
        report.figures["moved aside"] += user.ledger.moved_aside is not None
        report.figures["restarts"] += user.restarts
        user.stop()
        _compare(material, name, found, hit, report)


def _compare(
    material: Material, name: str, found: dict[str, dict[str, object]], hit: set[str], report: CaseReport
) -> None:
    report.figures["rows hit"] += len(hit)
    for file, before in material.results.items():
        after = found.get(file)
        if after is not None and stable_part(after) == stable_part(before):
            continue
        report.figures["rows lost or changed"] += 1
        if file not in hit:
            report.faults.append(f"{name}: {file} was not hit, and is {'lost' if after is None else 'changed'}")
        elif file not in material.departed and (after is None or after["status"] != "classified"):
            report.faults.append(f"{name}: {file} is there, and has no result")
    for file in found.keys() - material.results.keys():
        if not hit:
            report.faults.append(f"{name}: {file} came from nowhere")


def files_hit(material: Material, data: bytes, place: int) -> set[str]:
    """Return the files whose rows lie at a place of a database: one, or all of a page where its header is hit."""
    start = place - place % _PAGE
    page = data[start : start + _PAGE]
    if start == 0 or page[0] != _LEAF_TABLE or page[3:5] == bytes(2):
        return set()
    cells = int.from_bytes(page[3:5])
    offsets = sorted(int.from_bytes(page[8 + 2 * at : 10 + 2 * at]) for at in range(cells))
    hit = set[str]()
    for begin, end in zip(offsets, [*offsets[1:], _PAGE], strict=True):
        is_hit = place - start < 8 + 2 * cells or begin <= place - start < end
        if is_hit:
            hit |= {name for name in material.results if name.encode() in page[begin:end]}
    return hit


def is_index_page(data: bytes, place: int) -> bool:
    """Whether a place of a database lies in a page of an index."""
    return data[place - place % _PAGE] in _INDEX_KINDS


@contextlib.contextmanager
def _faults_noted(report: CaseReport, name: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        report.faults.append(f"{name}: {type(error).__name__}: {error}")


def _writing(data: bytes) -> Damage:
    return lambda path: path.write_bytes(data) and None  # type: ignore[return-value]


def _running(*statements: str) -> Damage:
    def damage(path: Path) -> None:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
            for statement in statements:
                db.execute(statement)

    return damage


def _foreign_ledgers() -> Iterator[tuple[str, Damage]]:
    yield "an empty file", _writing(b"")
    yield "text", _writing(b"my notes\n" * 1000)
    yield "zeros", _writing(bytes(50_000))
    yield "random bytes", _writing(random.Random(1).randbytes(50_000))
    tables = ("CREATE TABLE photo (id INTEGER PRIMARY KEY, caption TEXT)", "CREATE TABLE notes (text TEXT)")
    for version in (0, 1, 2, 3, 4, 7, 252, 1 << 20):
        for table in tables:

            def damage(path: Path, version: int = version, table: str = table) -> None:
                path.unlink()
                _running(table, f"PRAGMA user_version = {version}")(path)

            yield f"{table.split()[2]} of version {version}", damage
