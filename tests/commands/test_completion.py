"""Shells complete dogid's commands, flags and files, by the scripts that `dogid completion` prints."""

import io
import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path

import pytest

from dogid.cli import main
from tests.support.waiting import eventually

pytest.importorskip("shtab", reason="needs shtab (pip install shtab)")

EXPECTED: list[tuple[str, str | list[str]]] = [
    ("dogid repl", "dogid replay "),
    ("dogid results --sta", ["--state", "--status"]),
    ("dogid model act", "dogid model activate "),
    ("dogid service uninstall --del", "dogid service uninstall --delete-data "),
    ("dogid classify re", "dogid classify rex.jpg "),
]
"""What is typed, and the line or the candidates that completion makes of it."""
_BASH = """
source completion.bash
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
$(complete -p dogid | sed 's/.*-F \\([^ ]*\\).*/\\1/') dogid "${COMP_WORDS[-1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""
_ZSH = """
PROMPT=; fpath=($PWD $fpath); autoload -Uz compinit; compinit -u -D
write_line() { print -r -- "$BUFFER" >>lines; BUFFER= }
zle -N write_line; bindkey '^X' write_line; bindkey '^I' complete-word; : >lines
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the three scripts and a photo."""
    folder = tmp_path_factory.mktemp("completion")
    for shell in ("bash", "zsh", "fish"):
        with redirect_stdout(io.StringIO()) as printed:
            assert main(["completion", shell]) == 0
        (folder / ("_dogid" if shell == "zsh" else f"completion.{shell}")).write_text(printed.getvalue())
    (folder / "rex.jpg").touch()
    return folder


def _need(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell} (apt install {shell})")


def _last_words(expected: str | list[str]) -> set[str]:
    return {expected.split()[-1]} if isinstance(expected, str) else set(expected)


def test_bash_completes(folder: Path) -> None:
    _need("bash")
    for typed, expected in EXPECTED:
        command = ["bash", "--norc", "-c", _BASH, "bash", *typed.split()]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
        assert set(done.stdout.split()) == _last_words(expected)


def test_fish_completes(folder: Path) -> None:
    _need("fish")
    for typed, expected in EXPECTED:
        command = ["fish", "--no-config", "-c", f"source completion.fish; complete -C '{typed}'"]
        environ = {**os.environ, "HOME": str(folder)}
        done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=True)
        assert {line.split("\t")[0] for line in done.stdout.splitlines()} == _last_words(expected)


@pytest.fixture
def zsh(folder: Path) -> Iterator[int]:
    """A zsh on a terminal of its own: what is written there is typed."""
    _need("zsh")
    ours, theirs = pty.openpty()
    (folder / "setup.zsh").write_text(_ZSH)
    environ = {**os.environ, "HOME": str(folder), "TERM": "dumb"}
    command = ["zsh", "-f", "-i"]
    with subprocess.Popen(command, cwd=folder, env=environ, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.write(ours, b"source ./setup.zsh\n")
        eventually((folder / "lines").exists, "zsh is set up")
        yield ours
        process.kill()
    os.close(ours)
    os.close(theirs)


def test_zsh_completes(folder: Path, zsh: int) -> None:
    lines = [(typed, expected) for typed, expected in EXPECTED if isinstance(expected, str)]
    for number, (typed, expected) in enumerate(lines, 1):
        os.write(zsh, f"{typed}\t\x18".encode())
        written = eventually(partial(_read_lines, folder, number), f"{typed} is completed")
        assert written[-1] == expected


def _read_lines(folder: Path, count: int) -> list[str] | None:
    lines = (folder / "lines").read_text().splitlines()
    return lines if len(lines) == count else None


def test_other_commands_do_not_load_the_library() -> None:
    code = "import sys; from dogid.cli import main\ntry: main(['results', '--help'])\nexcept SystemExit: pass\n"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}print('shtab' in sys.modules)"], capture_output=True, text=True
    )

    assert done.stdout.endswith("False\n")
