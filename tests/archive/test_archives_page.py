"""The page about archives: its commands are typed, in their order."""

import re
import shlex
from pathlib import Path

import pytest

from dogid.cli import main
from dogid.commands.command_list import COMMANDS
from dogid.commands.command_parsers import load_command, make_command_parser
from tests.archive.archives import results_of
from tests.support.daemon import ROOT
from tests.support.photos import photo, put_all

PAGE = (ROOT / "daemon" / "ARCHIVES.md").read_text()
COMMAND_LINES = [
    line.partition("  #")[0]
    for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    for line in block.splitlines()
    if line.startswith("dogid ")
]


def test_commands_of_the_page_do_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put_all(tmp_path / "photos", {f"camera/{number}.jpg": photo(number) for number in range(3)})
    (tmp_path / "photos.csv").write_text("path\nphotos/camera/0.jpg\n")
    monkeypatch.chdir(tmp_path)
    for line in COMMAND_LINES:
        words = shlex.split(line)[1:]
        if "s3://" in line or words[0] == "run":  # with a server, and with a daemon: other tests have them
            assert make_command_parser(words[0], load_command(COMMANDS[words[0]])).parse_args(words[1:])
            continue
        assert main(words) == 0, f"{line}\n{capsys.readouterr().err}"

    assert len(COMMAND_LINES) >= 10
    assert sorted(results_of("answers")) == [f"camera/{number}.jpg" for number in range(3)]
    assert list(results_of("listed")) == ["photos/camera/0.jpg"]
    assert {"answers.csv", "package", "timelapse.json", "state"} < {path.name for path in tmp_path.iterdir()}
    capsys.readouterr()
    assert main(["results", "--inbox", "photos", "--state", "state", "--json"]) == 0
    assert capsys.readouterr().out.count('"present": true') == 3


def test_python_of_the_page_reads_the_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_all(tmp_path / "photos", {"a.jpg": photo(1)})
    monkeypatch.chdir(tmp_path)
    assert main(["batch", "photos", "-o", "answers", "--engine", "local"]) == 0
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, object] = {}
    exec(code, names)

    (row,) = names["table"].to_pylist()  # type: ignore[attr-defined]
    assert (row["file"], row["score"] > 0) == ("a.jpg", True)
