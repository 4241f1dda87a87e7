"""Programs that outputs run: what they get, what they may, and what becomes of those that fail."""

import json
import os
import resource
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from dogid.outputs.command import Command, make_output
from dogid.outputs.output import Delivery, OutputConfigError, OutputError, RefusedError
from tests.outputs.deliveries import make_context, make_delivery, send
from tests.support.waiting import eventually

_AWAIT_LIMITS = "until [ $(cat /proc/$$/oom_score_adj) = 1000 ]; do sleep 0.02; done"  # which a program gets last


def make(folder: Path, *command: str, context: Any = None, **others: Any) -> Command:
    return make_output({"command": list(command), **others}, context or make_context(folder))


def shell(folder: Path, script: str, **others: Any) -> Command:
    return make(folder, "/bin/sh", "-c", script, **others)


def fault(output: Command, deliveries: Sequence[Delivery] = (make_delivery(),)) -> OutputError:
    with pytest.raises(OutputError) as raised:
        output.send(deliveries, lambda _: None)
    return raised.value


def test_program_reads_each_delivery_in_order(tmp_path: Path) -> None:
    strange = make_delivery(2, file="a\nb $(touch x)'\".jpg", label="\U0001f436")

    assert send(shell(tmp_path, "cat >>all"), [make_delivery(1), strange]) == [1, 2]

    lines = (tmp_path / "all").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [make_delivery(1).describe(), strange.describe()]
    assert os.listdir(tmp_path) == ["all"]


def test_thumbnail_is_a_file_as_long_as_it_runs(tmp_path: Path) -> None:
    (tmp_path / "thumbnail-old.jpg").touch()

    send(
        shell(tmp_path, 'head -c 2 "$DOGID_THUMBNAIL" >start; echo "$DOGID_THUMBNAIL" >name', thumbnail=True),
        [make_delivery()],
    )

    assert (tmp_path / "start").read_bytes() == b"\xff\xd8"
    assert sorted(os.listdir(tmp_path)) == ["name", "start"]
    gone = make_context(tmp_path, make_thumbnail=lambda _: None)
    send(shell(tmp_path, 'test -z "${DOGID_THUMBNAIL+x}"', context=gone, thumbnail=True), [make_delivery()])


def test_program_inherits_neither_secrets_nor_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOGID_TOKEN_FILE", "/secret")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials/dogid")
    with (tmp_path / "open").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        send(shell(tmp_path, "env >variables; ls /proc/$$/fd >files", environment={"MINE": "1"}), [make_delivery()])

    names = {line.split("=")[0] for line in (tmp_path / "variables").read_text().splitlines()}
    assert {"PATH", "HOME", "MINE", "DOGID_OUTPUT"} <= names
    assert not names & {"DOGID_TOKEN_FILE", "CREDENTIALS_DIRECTORY", "NOTIFY_SOCKET", "PYTHONPATH"}
    assert {"0", "1", "2"} >= set((tmp_path / "files").read_text().split()) - {"3", "10"}  # the shell's own


def test_program_has_low_rights(tmp_path: Path) -> None:
    send(
        shell(tmp_path, f"{_AWAIT_LIMITS}; cat /proc/$$/limits /proc/$$/oom_score_adj >limits; nice >>limits"),
        [make_delivery()],
    )

    limits = (tmp_path / "limits").read_text()
    assert "Max core file size        0 " in limits
    assert "Max open files            256 " in limits
    assert "Max data size             512000000 " in limits
    assert limits.splitlines()[-2:] == ["1000", str(max(10, os.nice(0)))]


def test_program_may_not_take_all_memory(tmp_path: Path) -> None:
    error = fault(shell(tmp_path, f"{_AWAIT_LIMITS}; exec /usr/bin/python3 -c 'bytearray(10**9)'", memory=100))

    assert str(error) == "/bin/sh: failed (exit status 1): MemoryError"


def test_failing_program_is_refused_with_its_last_words(tmp_path: Path) -> None:
    error = fault(shell(tmp_path, "echo first; echo 'no such\033[31m lamp' >&2; exit 3"))

    assert isinstance(error, RefusedError)
    assert str(error) == r"/bin/sh: failed (exit status 3): no such\x1b[31m lamp"
    assert "signal 11" in str(fault(shell(tmp_path, "kill -SEGV $$")))
    assert not isinstance(fault(shell(tmp_path, "exit 75")), RefusedError)


@pytest.mark.parametrize("program", ["/nowhere/program", "no-such-program"])
def test_missing_program_waits_for_a_person(tmp_path: Path, program: str) -> None:
    output = make(tmp_path, program)

    assert not isinstance(fault(output), RefusedError)
    assert "there is no such program" in str(fault(output))
    with pytest.raises(OutputError, match="there is no such program"):
        output.check()


def test_program_that_is_no_program_is_named(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no shebang\n")
    assert "may not be run" in str(fault(make(tmp_path, str(tmp_path / "text"))))

    (tmp_path / "text").chmod(0o755)
    assert "cannot be started: Exec format error" in str(fault(make(tmp_path, str(tmp_path / "text"))))


def test_hanging_program_ends_with_all_that_it_started(tmp_path: Path) -> None:
    error = fault(shell(tmp_path, "sleep 1000 & echo $! >child; echo waiting; wait", timeout=3))

    assert not isinstance(error, RefusedError)
    assert str(error) == "/bin/sh: was ended after 3 seconds (timeout): waiting"
    _await_end(int((tmp_path / "child").read_text()))


def test_what_a_program_leaves_behind_ends_with_it(tmp_path: Path) -> None:
    send(shell(tmp_path, "sleep 1000 & echo $! >child"), [make_delivery()])

    _await_end(int((tmp_path / "child").read_text()))


def test_stop_ends_a_running_program(tmp_path: Path) -> None:
    stopping = threading.Event()
    output = shell(tmp_path, "echo $$ >pid; exec sleep 1000", context=make_context(tmp_path, stopping=stopping))

    def stop() -> None:
        eventually((tmp_path / "pid").exists, "it runs")
        stopping.set()

    threading.Thread(target=stop).start()
    assert "dogid stops" in str(fault(output))
    _await_end(int((tmp_path / "pid").read_text()))


def test_large_output_costs_no_memory(tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    send(shell(tmp_path, "head -c 200000000 /dev/zero; head -c 10000 /dev/zero >&2"), [make_delivery()])

    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # kB


def test_programs_run_in_parallel_and_are_acknowledged_in_order(tmp_path: Path) -> None:
    # each waits for the others, so that they end only where three run at once
    script = "read line; mkdir $$; until [ $(ls | wc -l) -ge 3 ]; do sleep 0.02; done"
    assert send(shell(tmp_path, script, parallel=3), [make_delivery(number) for number in range(1, 4)]) == [1, 2, 3]


def test_none_runs_after_one_that_fails(tmp_path: Path) -> None:
    output = shell(tmp_path, 'read line; echo "$line" >>all; test "${line#*bad}" = "$line"')
    acknowledged = list[int]()

    with pytest.raises(RefusedError):
        output.send([make_delivery(1), make_delivery(2, id="bad"), make_delivery(3)], acknowledged.append)

    assert acknowledged == [1]
    assert len((tmp_path / "all").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({}, "command: is missing"),
        ({"command": "echo"}, "command: .* must be a list of texts"),
        ({"command": ["~/keep.py"]}, "command: ~ does not stand for a home folder here"),
        ({"command": [""]}, "command: must begin with"),
        ({"command": ["a\0"]}, "command: no argument"),
        ({"command": ["a"], "environment": {"A=B": "1"}}, "command: no argument"),
        ({"command": ["a"], "parallel": 99}, "parallel: "),
    ],
)
def test_wrong_settings_name_the_key(tmp_path: Path, table: dict[str, object], message: str) -> None:
    with pytest.raises(OutputConfigError, match=f"^{message}"):
        make_output(table, make_context(tmp_path))


def _await_end(pid: int) -> None:
    def has_ended() -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
        except FileNotFoundError:
            return True

    eventually(has_ended, "the process has ended")
