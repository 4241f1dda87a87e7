"""The outputs `jsonl` and `csv`: nothing is lost or torn, whatever a power cut or a full disk leaves of the file."""

import csv
import errno
import io
import json
import os
import resource
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest

from dogid.outputs.files.place import OutputFolder
from dogid.outputs.files.record_file import RecordFile, RecordFormat, Rotation
from dogid.outputs.files.record_output import RecordOutput, _read_csv_tail, _read_json_tail, make_csv, make_jsonl
from dogid.outputs.output import OutputConfigError, OutputContext, OutputError
from dogid.result_table import COLUMNS
from tests.outputs.deliveries import make_context, make_delivery, send
from tests.support.forked import in_another_process

Make = Callable[[dict[str, str], OutputContext], RecordOutput]
_TODAY = date(2026, 11, 29)
_KINDS = [pytest.param(make_jsonl, id="jsonl"), pytest.param(make_csv, id="csv")]


def context_in(folder: Path) -> OutputContext:
    (folder / "inbox").mkdir(exist_ok=True)
    return make_context(folder / "state" / "outputs" / "it", inbox=folder / "inbox")


def read_ids(path: Path) -> list[str]:
    if path.suffix == ".jsonl":
        return [json.loads(line)["id"] for line in path.read_text().splitlines()]
    header, *rows = csv.reader(io.StringIO(path.read_bytes().decode(), newline=""))
    assert header == ["delivery", "kind", "rule", "count", *COLUMNS]
    assert {len(row) for row in rows} <= {len(header)}
    return [row[0] for row in rows]


def ids(*numbers: int) -> list[str]:
    return [f"0a1b2c3d-{number}" for number in numbers]


@pytest.mark.parametrize("make", _KINDS)
def test_file_cut_anywhere_by_a_power_cut_is_mended(tmp_path: Path, make: Make) -> None:
    path = tmp_path / f"log.{make.__name__.removeprefix('make_')}"
    deliveries = [make_delivery(number, file=f'gate/"a", b\n{number}.jpg') for number in range(5)]
    output = make({"path": str(path)}, context_in(tmp_path))
    send(output, deliveries[:2])
    sure = path.stat().st_size
    note = (tmp_path / "state/outputs/it/position.json").read_text()
    send(output, deliveries[2:4])
    output.close()
    whole = path.read_bytes()

    for end in [*range(sure, len(whole), 7), len(whole)]:
        for rest in (b"", bytes(700)):
            path.write_bytes(whole[:end] + rest)
            (tmp_path / "state/outputs/it/position.json").write_text(note)
            again = make({"path": str(path)}, context_in(tmp_path))
            send(again, deliveries[2:])
            again.close()
            assert read_ids(path) == ids(0, 1, 2, 3, 4)
    (tmp_path / "state/outputs/it/position.json").unlink()
    path.write_bytes(whole[:-9])
    send(make({"path": str(path)}, context_in(tmp_path)), deliveries[3:])
    assert read_ids(path) == ids(0, 1, 2, 3, 4)


@pytest.mark.parametrize("make", _KINDS)
def test_batch_that_is_sent_again_after_a_kill_is_there_once(tmp_path: Path, make: Make) -> None:
    path = tmp_path / f"log.{make.__name__.removeprefix('make_')}"
    for first, last in ((0, 1), (0, 1), (1, 2), (0, 3), (1, 3), (3, 4)):  # killed each time before that was noted
        batch = [make_delivery(number) for number in range(first, last + 1)]
        send(make({"path": str(path)}, context_in(tmp_path)), batch)

    assert read_ids(path) == ids(0, 1, 2, 3, 4)


@pytest.mark.parametrize("make", _KINDS)
def test_full_disk_leaves_whole_records_and_goes_on(tmp_path: Path, make: Make) -> None:
    path = tmp_path / f"log.{make.__name__.removeprefix('make_')}"
    send(make({"path": str(path)}, context_in(tmp_path)), [make_delivery(0)])
    most = path.stat().st_size + 100

    def fill() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
        output = make({"path": str(path)}, context_in(tmp_path))
        for _ in range(2):
            with pytest.raises(OutputError, match=f"{path}: File too large: make room"):
                send(output, [make_delivery(1), make_delivery(2)])
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        send(output, [make_delivery(1), make_delivery(2)])

    assert in_another_process(fill) == 0
    assert read_ids(path) == ids(0, 1, 2)


@pytest.mark.parametrize("make", _KINDS)
def test_file_put_aside_by_another_program_is_begun_anew(tmp_path: Path, make: Make) -> None:
    path = tmp_path / f"log.{make.__name__.removeprefix('make_')}"
    output = make({"path": str(path)}, context_in(tmp_path))
    send(output, [make_delivery(0)])
    path.rename(tmp_path / "aside")
    send(output, [make_delivery(1), make_delivery(2, is_test=True)])

    assert read_ids(path) == ids(1)


def test_csv_of_another_program_is_put_aside(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("name,weight\nrex,12\n")
    send(make_csv({"path": str(path)}, context_in(tmp_path)), [make_delivery(1)])

    assert read_ids(path) == ids(1)
    (aside,) = tmp_path.glob("log-*.csv")
    assert aside.read_text() == "name,weight\nrex,12\n"


def test_files_are_put_aside_by_size_and_by_day(tmp_path: Path) -> None:
    form = RecordFormat(b"head\r\n", _read_csv_tail)
    path, note = tmp_path / "log.csv", tmp_path / "note"
    file = RecordFile(path, note, form, Rotation(most_bytes=20, daily=True, keep=3))
    for number, day in enumerate((0, 0, 0, 1, 2, 3, 3)):
        file.append([(str(number), b"%d,12345678\r\n" % number)], _TODAY + timedelta(days=day))
    file.close()

    assert path.read_bytes() == b"head\r\n5,12345678\r\n6,12345678\r\n"
    assert {found.name: found.read_bytes()[6:7] for found in tmp_path.glob("log-*.csv")} == {
        "log-20261129-0002.csv": b"2",
        "log-20261130-0001.csv": b"3",
        "log-20261201-0001.csv": b"4",
    }


@pytest.mark.parametrize(
    ("text", "whole", "found"),
    [
        (b'{"id": "a"}\n{"id": "b"}\n{"i', 24, {"a", "b"}),
        (b'somebody\'s note\n{"id": "b"}\n', 28, {"b"}),
        (b'{"id": "a"}\n\0\0\0\n', 12, {"a"}),
        (b'{"id": "\xe2\x80\xa8"}\n', 14, {"\u2028"}),
    ],
)
def test_torn_lines_are_recognised(text: bytes, whole: int, found: set[str]) -> None:
    assert _read_json_tail(text) == (whole, found)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("log.csv", "path: must be a whole path"),
        ("{folder}/inbox/log.csv", "lies in the inbox"),
        ("{folder}/inbox/../inbox/log.csv", "lies in the inbox"),
        ("{folder}/state/log.csv", "lies in the state folder"),
    ],
)
def test_wrong_places_are_errors_of_the_settings(tmp_path: Path, path: str, reason: str) -> None:
    with pytest.raises(OutputConfigError, match=reason):
        make_csv({"path": path.format(folder=tmp_path)}, context_in(tmp_path))


def test_folder_that_is_not_there_is_never_made(tmp_path: Path) -> None:
    output = make_jsonl({"path": str(tmp_path / "usb" / "log.jsonl")}, context_in(tmp_path))

    for task in (output.check, lambda: send(output, [make_delivery(1)])):
        with pytest.raises(OutputError, match="usb: No such folder: make its folder, or mount its disk"):
            task()
    (tmp_path / "usb").mkdir()
    send(output, [make_delivery(1)])
    assert "usb can be written, with " in output.check()
    assert os.listdir(tmp_path / "usb") == ["log.jsonl"]


@pytest.mark.parametrize(
    ("state", "folder", "number", "way_out"),
    [
        ("/var/lib/dogid", "/srv/a b", errno.EROFS, 'edit dogid, with [Service] and ReadWritePaths="-/srv/a b"'),
        ("/var/lib/dogid-barn", "/srv/x", errno.EROFS, "edit dogid@barn, with [Service] and ReadWritePaths=-/srv/x"),
        ("/var/lib/dogid", "/srv/x", errno.EACCES, "give the user dogid the right to write there"),
        ("/var/lib/dogid", "/home/ann/x", errno.EACCES, "name /srv/x instead, show the folder there, then restart it"),
        ("/var/lib/dogid", "/tmp/x", errno.ENOENT, "for temporary files: name a folder elsewhere"),
        ("/data/state", "/tmp/x", errno.ENOENT, "make its folder, or mount its disk"),
        ("/data/state", "/home/ann/x", errno.EACCES, "give the daemon's user the right to write there"),
        ("/data/state", "/srv/x", errno.EROFS, "mount its disk for writing"),
    ],
)
def test_folder_that_cannot_be_written_has_a_way_out(state: str, folder: str, number: int, way_out: str) -> None:
    place = OutputFolder(Path(folder), make_context(Path(state) / "outputs" / "it", inbox=Path("/data/inbox")))
    message = str(place.explain(OSError(number, os.strerror(number)), Path(folder)))

    assert message.startswith(f"{folder}: {os.strerror(number)}: ")
    assert way_out in message
