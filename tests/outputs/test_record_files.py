"""The outputs `jsonl` and `csv`: nothing is lost or torn, whatever a power cut or a full disk leaves of the file."""

import csv
import errno
import io
import json
import os
import pwd
import re
import resource
import subprocess
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from dogid.outputs.files.place import OutputFolder
from dogid.outputs.files.record_file import RecordFile, RecordFormat, Rotation
from dogid.outputs.files.record_output import _JSON_START, RecordOutput, make_csv, make_jsonl
from dogid.outputs.output import Delivery, OutputConfigError, OutputContext, OutputError
from dogid.outputs.trial_messages import send_test
from dogid.result_table import COLUMNS
from tests.outputs.deliveries import make_context, make_delivery, send
from tests.support.forked import in_another_process

Make = Callable[[dict[str, Any], OutputContext], RecordOutput]
_STREAM = "0a1b2c3d"
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
    return [f"{_STREAM}-{number}" for number in numbers]


def append(make: Make, path: Path, deliveries: Sequence[Delivery], **others: Any) -> None:
    """As a daemon does that is killed before it has noted that they are there."""
    output = make({"path": str(path), **others}, context_in(path.parent))
    send(output, deliveries)
    output.close()


@pytest.mark.parametrize("make", _KINDS)
def test_file_cut_anywhere_by_a_power_cut_is_mended(tmp_path: Path, make: Make) -> None:
    path = tmp_path / f"log.{make.__name__.removeprefix('make_')}"
    deliveries = [make_delivery(number, file=f'gate/"a", b\n{number}.jpg') for number in range(5)]
    append(make, path, deliveries[:2])
    sure = path.stat().st_size
    append(make, path, deliveries[2:4])
    whole = path.read_bytes()

    for end in [*range(sure, sure + 24, 3), *range(sure + 24, len(whole), 17), len(whole)]:
        for rest in (b"", bytes(700)):
            path.write_bytes(whole[:end] + rest)
            append(make, path, deliveries[2:])
            assert read_ids(path) == ids(0, 1, 2, 3, 4)
    path.write_bytes(whole[: sure + 90] + bytes(90) + whole[sure + 180 :])  # written in another order
    append(make, path, deliveries[2:])
    assert read_ids(path) == ids(0, 1, 2, 3, 4)


@pytest.mark.parametrize("make", _KINDS)
def test_batch_that_is_sent_again_after_a_kill_is_there_once(tmp_path: Path, make: Make) -> None:
    path = tmp_path / f"log.{make.__name__.removeprefix('make_')}"
    for first, last in ((0, 1), (0, 1), (1, 2), (0, 3), (1, 3), (3, 4)):  # killed each time before that was noted
        append(make, path, [make_delivery(number) for number in range(first, last + 1)])

    assert read_ids(path) == ids(0, 1, 2, 3, 4)


def test_record_whose_line_break_an_editor_took_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    append(make_jsonl, path, [make_delivery(0)])
    path.write_bytes(path.read_bytes()[:-1])
    append(make_jsonl, path, [make_delivery(1)])

    assert read_ids(path) == ids(0, 1)


def test_batch_sent_again_is_there_once_when_the_file_is_full(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    most = 1000
    records = [(f"{_STREAM}-{number}", b'{"id": "%b-%d", "type": "%b"}\n' % (_STREAM.encode(), number, b"x" * 300))
               for number in range(9)]  # fmt: skip
    for first, last in ((0, 4), (0, 4), (2, 6), (6, 9)):
        file = RecordFile(path, RecordFormat(b"", _JSON_START, has_quotes=False), Rotation(most, daily=False, keep=0))
        file.append(records[first:last], _TODAY)
        file.close()

    (aside,) = tmp_path.glob("log-*")
    assert read_ids(aside) + read_ids(path) == ids(*range(9))
    assert read_ids(path) == ids(6, 7, 8)


@pytest.mark.parametrize("make", _KINDS)
@pytest.mark.parametrize("text", ["mine, without an end", 'a 12" screen\n'])
def test_lines_of_people_are_kept(tmp_path: Path, make: Make, text: str) -> None:
    path = tmp_path / f"log.{make.__name__.removeprefix('make_')}"
    output = make({"path": str(path)}, context_in(tmp_path))
    for number in range(4):
        send(output, [make_delivery(number)])
        with path.open("a") as file:
            file.write(text)
        if number % 2:
            output.close()
    output.close()

    assert path.read_text().count(text) == 4
    assert re.findall(rf'(?m)^(?:{{"id": ")?({_STREAM}-\d)', path.read_text()) == ids(0, 1, 2, 3)
    assert not list(tmp_path.glob("log-*"))


@pytest.mark.parametrize("make", _KINDS)
def test_full_disk_leaves_whole_records_and_goes_on(tmp_path: Path, make: Make) -> None:
    path = tmp_path / f"log.{make.__name__.removeprefix('make_')}"
    append(make, path, [make_delivery(0)])
    most = path.stat().st_size + 100

    def fill() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
        output = make({"path": str(path)}, context_in(tmp_path))
        for _ in range(2):
            with pytest.raises(OutputError, match=f"{path}: File too large: make room"):
                send(output, [make_delivery(1), make_delivery(2)])
            assert path.stat().st_size == most - 100
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
    said = send_test(output, make_delivery(3, is_test=True))
    assert said.ok
    assert f"{tmp_path} can be written" in said.detail
    assert read_ids(path) == ids(1)


@pytest.mark.parametrize("make", _KINDS)
@pytest.mark.parametrize("text", ["name,weight\nrex,12", "PK\3\4\0\0", '{"id": "mine"}\n', "\0"])
def test_file_of_another_program_is_put_aside_for_good(tmp_path: Path, make: Make, text: str) -> None:
    suffix = make.__name__.removeprefix("make_")
    path, named_alike = tmp_path / f"log.{suffix}", tmp_path / f"log-20200101-0001.{suffix}"
    (tmp_path / f"log-before-dogid.{suffix}").symlink_to("nothing")
    named_alike.write_text(text)
    path.write_text(text)
    append(make, path, [make_delivery(1)], rotate="daily", keep=1)
    for number in (2, 3):
        os.utime(path, (number * 100_000,) * 2)
        append(make, path, [make_delivery(number)], rotate="daily", keep=1)

    assert read_ids(path) == ids(3)
    assert {found.read_text() for found in (named_alike, tmp_path / f"log-before-dogid-2.{suffix}")} == {text}
    (aside,) = tmp_path.glob(f"log-1970*.{suffix}")
    assert read_ids(aside) == ids(2)


def test_file_belongs_to_one_output(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    first, second = (make_csv({"path": str(path)}, context_in(tmp_path)) for _ in range(2))
    send(first, [make_delivery(1)])
    with pytest.raises(OutputError, match="another output writes there"):
        send(second, [make_delivery(2)])
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OutputError, match="pipe: It is no file"):
        append(make_csv, tmp_path / "pipe", [make_delivery(1)])
    first.close()


def test_end_of_a_huge_file_takes_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    append(make_jsonl, path, [make_delivery(1)])
    begin = path.read_bytes()
    os.truncate(path, 3 << 30)  # takes no room
    with path.open("ab") as file:
        file.write(b"\n" + begin.replace(b"-1", b"-2", 1) + begin[:-9].replace(b"-1", b"-3", 1))

    def go_on() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (2 << 30, resource.RLIM_INFINITY))
        append(make_jsonl, path, [make_delivery(2), make_delivery(3)], max_mb=100_000)

    assert in_another_process(go_on) == 0
    with path.open("rb") as written:
        written.seek(3 << 30)
        assert [json.loads(line)["id"] for line in written.read().splitlines() if line] == ids(2, 3)
    assert path.stat().st_size > 3 << 30


def test_files_are_put_aside_by_size_and_by_day(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    form = RecordFormat(b"head\r\n", re.compile(rb"(?m)^(\d),"), has_quotes=True)
    file = RecordFile(path, form, Rotation(most_bytes=20, daily=True, keep=3))
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
    ("path", "reason"),
    [
        ("log.csv", "path: must be a whole path"),
        ("{folder}/inbox/log.csv", "lies in the inbox"),
        ("{folder}/inbox/../inbox/log.csv", "lies in the inbox"),
        ("{folder}/state/log.csv", "lies in the state folder"),
        ("{folder}", "holds the inbox"),
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


@pytest.mark.skipif(os.geteuid() != 0, reason="only root looks as the daemon's user does")
@pytest.mark.parametrize(
    ("shown", "folder", "found"),
    [
        ("ReadWritePaths=", "/dev/shm", r"may write in its state folder only; .* ReadWritePaths=-/dev/shm$"),
        ("ReadWritePaths=-/dev/shm /mnt", "/dev/shm", "^/dev/shm can be written, with "),
        ("ReadWritePaths=/srv", "/srv", "Permission denied: give the user dogid the right to write there$"),
        ("BindPaths=/home/ann/x:/srv:rbind", "/srv", "^/srv is shown to the service by BindPaths; "),
        ("ProtectSystem=no", "/dev/shm", "^/dev/shm can be written, with "),
    ],
)
def test_check_as_root_looks_as_the_service_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shown: str, folder: str, found: str
) -> None:
    systemctl = tmp_path / "systemctl"
    systemctl.write_text(f"#!/bin/sh\necho ProtectSystem=strict\necho '{shown}'\n")
    systemctl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr("dogid.outputs.files.place.find_unit", lambda _: "dogid@barn")
    context = context_in(tmp_path)
    state = tmp_path / "state"
    state.mkdir()
    os.chown(state, pwd.getpwnam("nobody").pw_uid, -1)
    try:
        message = OutputFolder(Path(folder), context).check()
    except OutputError as error:
        message = str(error)

    assert re.search(found, message), message


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a disk")
def test_disk_mounted_for_reading_only_is_named(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    output = make_jsonl({"path": str(disk / "log.jsonl")}, context_in(tmp_path))
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro,size=1m", "tmpfs", disk], check=True)
    try:
        with pytest.raises(OutputError, match="disk: Read-only file system: mount its disk for writing"):
            output.check()
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)
