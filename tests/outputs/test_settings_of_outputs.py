"""Tables of outputs and the secret files that they name: what is wrong is named, and no secret is shown."""

from pathlib import Path
from typing import Annotated

import msgspec
import pytest

from dogid.outputs.output import OutputConfigError, OutputError
from dogid.outputs.secret_files import CREDENTIALS, find_secret, read_secret
from dogid.outputs.table import OutputTable, read_table


class _Table(OutputTable, frozen=True, kw_only=True):
    url: str
    timeout: Annotated[float, msgspec.Meta(ge=1, le=60)] = 10.0
    command: tuple[str, ...] = ()


def test_table_is_read_with_its_defaults() -> None:
    read = read_table({"type": "x", "enabled": True, "url": "u", "timeout": 5}, _Table)

    assert (read.url, read.timeout, read.command) == ("u", 5.0, ())


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({}, "url: is missing"),
        ({"url": 1}, "url: expected str, got int"),
        ({"url": "u", "timeout": 0}, "timeout: expected float >= 1.0"),
        ({"url": "u", "command": ["a", 2]}, "command[1]: expected str, got int"),
        ({"url": "u", "time_out": 3}, "time_out: no such key; did you mean timeout?"),
        ({"url": "u", "zzz": 3}, "zzz: no such key; known: command, timeout, url"),
    ],
)
def test_wrong_table_names_the_key(table: dict[str, object], message: str) -> None:
    with pytest.raises(OutputConfigError) as raised:
        read_table(table, _Table)

    assert str(raised.value) == message


def test_secret_of_the_service_is_its_credential(tmp_path: Path) -> None:
    (tmp_path / "dogid_key").write_text("hidden\n")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}

    assert read_secret("key_file", str(CREDENTIALS / "key"), environ) == "hidden"
    assert read_secret("key_file", "key", environ) == "hidden"
    assert find_secret("/elsewhere/key", environ) == Path("/elsewhere/key")


def test_unusable_secret_names_file_and_key(tmp_path: Path) -> None:
    empty, wide, other = tmp_path / "empty", tmp_path / "wide", tmp_path / "other"
    empty.write_text(" \n")
    wide.write_text("x" * 70_000)
    other.write_bytes(b"\xff\xfe")
    for file, reason in [(empty, "empty"), (wide, "larger"), (other, "UTF-8"), (tmp_path / "none", "make the file")]:
        with pytest.raises(OutputError, match=f"^key_file: {file}: .*{reason}"):
            read_secret("key_file", str(file), {})
