"""Tables of outputs and the secret files that they name: what is wrong is named, and no secret is shown."""

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest

from dogid.outputs.output import OutputConfigError, OutputError
from dogid.outputs.secret_files import CREDENTIALS, find_secret, read_secret
from dogid.outputs.table import OutputTable, read_table


class _Table(OutputTable, frozen=True, kw_only=True):
    url: str
    timeout: Annotated[float, msgspec.Meta(ge=1, le=60)] = 10.0
    command: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)] = ("true",)
    rotate: Literal["never", "daily"] = "never"
    max_age: Annotated[float, msgspec.Meta(ge=0)] | None = None
    all: bool = False
    keep: Annotated[int, msgspec.Meta(ge=0)] = 0
    environment: dict[str, str] = msgspec.field(default_factory=dict)
    topic: Annotated[str, msgspec.Meta(min_length=1, max_length=5)] = "dogid"


def test_table_is_read_with_its_defaults() -> None:
    read = read_table({"type": "x", "enabled": True, "url": "u", "timeout": 5}, _Table)

    assert (read.url, read.timeout, read.command) == ("u", 5.0, ("true",))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({}, "url: is missing"),
        ({"url": 1}, 'url: 1 is not valid: must be a text, in quotes, as in url = "1"'),
        ({"timeout": 0}, "timeout: 0 is not valid: must be a number from 1 to 60"),
        ({"timeout": "5"}, "must be a number from 1 to 60, without quotes, as in timeout = 5"),
        ({"max_age": "10m"}, "must be a number of 0 or more, in seconds, as in max_age = 600"),
        ({"keep": 1.5}, "keep: 1.5 is not valid: must be a whole number of 0 or more"),
        ({"command": "a 'b c'"}, 'must be a list of texts, with one at least, as in command = ["a", "b c"]'),
        ({"command": []}, 'with one at least, as in command = ["one", "another"]'),
        ({"command": ["a", 2]}, 'must be a list of texts, with one at least, as in command = ["one", "another"]'),
        ({"rotate": "hourly"}, 'rotate: "hourly" is not valid: must be "daily" or "never"'),
        ({"all": "yes"}, 'all: "yes" is not valid: must be true or false, without quotes, as in all = true'),
        ({"environment": ["A=1"]}, 'environment: must be a table of texts, as in environment = { NAME = "text" }'),
        ({"topic": "dogs/a"}, 'topic: "dogs/a" is not valid: must be a text of 1 to 5 characters'),
        ({"time_out": 3}, "time_out: no such key; did you mean timeout?"),
        ({"zzz": 3}, "zzz: no such key; known: all, command, environment, keep, max_age, rotate, timeout, topic, url"),
    ],
)
def test_wrong_table_names_key_and_right_value(table: dict[str, Any], message: str) -> None:
    with pytest.raises(OutputConfigError) as raised:
        read_table({"url": "u", **table} if table else {}, _Table)

    text = str(raised.value)
    assert text.startswith(f"{next(iter(table), 'url')}: ")
    assert text.endswith(message)


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
