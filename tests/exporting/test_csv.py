"""`dogid export`: a table that spreadsheets read as it is meant, filters, and files that are whole."""

import csv
import io
import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from dogid.ledger.database import open_for_reading
from dogid.ledger.queries import ResultFilter
from dogid.moments import parse_typed_moment
from dogid.result_table import COLUMNS, header_line, restore
from dogid.web.api.export import _stream
from dogid.web.errors import ApiError
from tests.exporting.answered_ledger import HOSTILE, classify, export
from tests.ledger.ledger_folder import Inbox
from tests.support.daemon import DaemonProcess, environment
from tests.support.http_client import fetch


def read_table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def exported(answered: Inbox, tmp_path: Path, *flags: str) -> list[dict[str, str]]:
    assert export(answered, "-o", tmp_path / "out.csv", *flags) == 0
    return read_table((tmp_path / "out.csv").read_bytes().decode())


def test_table_has_every_result_with_person_camera_and_date(answered: Inbox, tmp_path: Path) -> None:
    rows = {restore(row["file"]): row for row in exported(answered, tmp_path)}

    assert tuple(rows["alone.jpg"]) == COLUMNS
    assert set(rows) == {
        *(f"gate/{name}" for name in HOSTILE),
        "pond/long name of a photo.jpg", "pond/a.jpg", "alone.jpg", "broken.jpg", "waiting.jpg",
    }  # fmt: skip
    corrected = rows["pond/long name of a photo.jpg"]
    assert (corrected["label"], corrected["person_label"], restore(corrected["person"])) == (
        "person", "wolf, grey", "=anna",
    )  # fmt: skip
    assert (corrected["camera"], rows["alone.jpg"]["camera"]) == ("pond", "")
    assert (corrected["taken_at"], rows["pond/a.jpg"]["taken_at"]) == ("2026-05-02T04:00:00.000Z", "")
    assert (rows["broken.jpg"]["status"], rows["broken.jpg"]["error_code"]) == ("failed", "corrupt")
    assert json.loads(corrected["scores"]) == {"person": 0.6, "rest": 0.4}


def test_no_cell_is_a_formula_and_names_come_back(tmp_path: Path) -> None:
    made = Inbox(tmp_path)
    for name in HOSTILE:
        classify(made, name, label="=1+1")
    rows = exported(made, tmp_path)
    made.close()

    cells = [cell for row in rows for cell in row.values()]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert {restore(row["file"]) for row in rows} == set(HOSTILE)
    assert {restore(row["label"]) for row in rows} == {"=1+1"}


@pytest.mark.parametrize(
    ("flags", "files"),
    [
        (("--label", "wolf, grey"), {"pond/long name of a photo.jpg"}),
        (("--min-score", "0.8"), {"alone.jpg"}),
        (("--since", "2023-11-15T00:00Z"), set[str]()),
        (("--until", "2023-11-13"), set[str]()),
        (("--since", "2023-11-14", "--until", "2023-11-14", "--min-score", "0.8"), {"alone.jpg"}),
    ],
)
def test_filters_choose_rows(answered: Inbox, tmp_path: Path, flags: tuple[str, ...], files: set[str]) -> None:
    assert {row["file"] for row in exported(answered, tmp_path, *flags)} == files


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (("--since", "soon"), "--since: 'soon' is no moment"),
        (("--min-score", "nan"), "--min-score: it must be a number from 0 to 1"),
        (("--label", "catt"), "--label: there is no label 'catt'; labels are cat"),
        (("--format", "camtrap-dp"), "camtrap-dp is a folder of files: name one with -o DIR"),
        (("--json",), "--json prints a summary to stdout"),
        (("-o", "{inbox}/new/out.csv"), "lies in the inbox: name another place"),
        (("-o", "{state}/out.csv"), "lies in the state folder"),
        (("-o", "{inbox}/.."), "is a folder: name a file with -o"),
        (("-o", "{inbox}-new/out.csv"), "there is no such folder: make it"),
        (("--since", "today", "--until", "yesterday"), "--until: 'yesterday' ends before 'today' begins"),
    ],
)
def test_what_cannot_be_exported_is_refused(
    answered: Inbox, capsys: pytest.CaptureFixture[str], flags: tuple[str, ...], reason: str
) -> None:
    places = {"inbox": str(answered.folder), "state": str(answered.state)}

    assert export(answered, *(flag.format(**places) for flag in flags)) == 2
    assert reason in capsys.readouterr().err


def test_table_goes_to_stdout_as_to_a_file(
    answered: Inbox, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    exported(answered, tmp_path)
    capfdbinary.readouterr()

    assert export(answered) == 0
    assert capfdbinary.readouterr() == ((tmp_path / "out.csv").read_bytes(), b"")


def test_damaged_rows_are_left_out_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = Inbox(tmp_path)
    for name in ("a.jpg", "b.jpg"):
        classify(made, name)
    made.ledger.connection.db.execute("PRAGMA ignore_check_constraints = ON")
    made.ledger.connection.db.execute("UPDATE photo SET scores = '{' WHERE id = 1")
    rows = exported(made, tmp_path)
    shown = capsys.readouterr().err
    assert export(made, "-o", tmp_path / "other.csv", "--json") == 0
    made.close()

    assert [row["file"] for row in rows] == ["b.jpg"]
    assert "1 damaged row is left out; a running daemon repairs them" in shown
    assert json.loads(capsys.readouterr().out)["damaged"] == 1


def test_empty_export_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = Inbox(tmp_path)
    for flags, reason in (((), "there is no result yet"), (("--since", "today"), "no photo is within the filters")):
        assert export(made, "-o", tmp_path / "out.csv", *flags) == 0
        assert f"the export is empty: {reason}" in capsys.readouterr().err
    made.close()


def test_full_disk_leaves_the_former_file(answered: Inbox, tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    before = header_line() + "before"
    target.write_text(before, newline="")
    command = [sys.executable, "-m", "dogid", "export", "-o", str(target), "--state", str(answered.state)]
    done = subprocess.run(
        command, env=environment(), capture_output=True, text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)),
    )  # fmt: skip

    assert (done.returncode, target.read_bytes().decode(), [path.name for path in tmp_path.iterdir()]) == (
        1,
        before,
        ["out.csv"],
    )
    assert f"{target}: File too large: nothing was written" in done.stderr


def test_days_and_durations_are_understood() -> None:
    now = datetime(2026, 11, 29, 15, 30, tzinfo=timezone(timedelta(hours=1)))

    def ms(text: str) -> int:
        return round(datetime.fromisoformat(text).timestamp() * 1000)

    assert parse_typed_moment("12h", now) == ms("2026-11-29T03:30:00+01:00")
    assert parse_typed_moment("yesterday", now) == ms("2026-11-28T00:00:00")
    assert parse_typed_moment("2026-11-28", now, is_end=True) == ms("2026-11-29T00:00:00")
    assert parse_typed_moment("2026-11-28T08:00:00Z", now, is_end=True) == ms("2026-11-28T08:00:00+00:00")
    for wrong in ("", "12", "tomorrow", "2026-13-01", "9999999h", "9999-12-31T00:00-10:00:"):
        with pytest.raises(ValueError, match="is no moment"):
            parse_typed_moment(wrong, now)


def test_table_is_served_with_the_filters_of_results(shared_daemon: DaemonProcess) -> None:
    for _ in range(3):  # each gives its thread back
        assert fetch(shared_daemon.url, "/export.csv", method="HEAD").status == 200
    whole = fetch(shared_daemon.url, "/export.csv")
    header, *rows = csv.reader(io.StringIO(whole.body.decode(), newline=""))

    assert (whole.status, whole.headers["Content-Type"].partition(";")[0]) == (200, "text/csv")
    assert tuple(header) == COLUMNS
    assert len(rows) == len(shared_daemon.results())
    assert fetch(shared_daemon.url, "/export.csv?status=pending&min_score=0.5").body.decode().count("\r\n") == 1
    assert fetch(shared_daemon.url, "/export.csv?label=nothing").status == 400
    assert fetch(shared_daemon.url, "/export.csv?limit=3").status == 400
    for wrong in ("since=soon", "min_score=2", "max_score=nan", "until=-"):
        assert fetch(shared_daemon.url, f"/results?{wrong}").status == 400
    label = fetch(shared_daemon.url, "/results?min_score=0.01&since=2020-01-01&folder=nowhere&limit=1")
    assert json.loads(label.body) == {"results": [], "next": None}


def test_third_export_at_once_is_refused_until_one_ends(answered: Inbox) -> None:
    from threading import BoundedSemaphore

    @contextmanager
    def no_thread() -> Iterator[None]:
        yield

    daemon = cast(
        Any,
        SimpleNamespace(reader=lambda: open_for_reading(answered.state), result_signal=SimpleNamespace(closed=False)),
    )
    free, is_gone = BoundedSemaphore(2), [False]
    streams = [_stream(daemon, ResultFilter(), no_thread, lambda: is_gone[0], free) for _ in range(4)]
    next(streams[0]), next(streams[1])
    with pytest.raises(ApiError, match="2 exports"):
        next(streams[2])
    is_gone[0] = True
    with pytest.raises(ConnectionAbortedError):
        next(streams[0])
    next(streams[3])
