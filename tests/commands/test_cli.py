import contextlib
import json
import os
import shlex
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dogid import __version__
from dogid.cli import main
from dogid.commands.command_list import COMMANDS, GROUPS
from dogid.commands.command_parsers import FIRST_MINUTE, load_command, make_command_parser
from tests.support.daemon import dogid, environment

HEAVY = ("numpy", "flask", "PIL", "tensorflow", "watchdog", "ai_edge_litert", "pyarrow", "fsspec", "ray")


def modules_imported_by(*arguments: str) -> set[str]:
    code = (
        "import sys; sys.argv[1:] = sys.argv[1:]\nfrom dogid.cli import main\ntry:\n main()\nexcept SystemExit: pass\n"
    )
    code += "print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leaving:
        main(["--version"])

    assert leaving.value.code == 0
    assert capsys.readouterr().out == f"dogid {__version__}\n"


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], *([name, "--help"] for name in COMMANDS)])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    assert modules_imported_by(*arguments).isdisjoint(HEAVY)


def test_numpy_computes_in_one_thread() -> None:
    code = "import contextlib, os, dogid.cli\nwith contextlib.suppress(SystemExit): dogid.cli.main(['--version'])\n"
    code += "import numpy; print(len(os.listdir('/proc/self/task')))"
    usual = {name: value for name, value in environment().items() if name != "OPENBLAS_NUM_THREADS"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=usual)

    assert done.stdout.split()[-1] == "1"


@pytest.mark.parametrize("name", COMMANDS)
def test_help_says_what_it_does_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leaving:
        main([name, "--help"])
    text = " ".join(capsys.readouterr().out.split())

    assert leaving.value.code == 0
    for expected in (COMMANDS[name].about, *COMMANDS[name].examples, COMMANDS[name].see):
        assert expected in text


def test_without_arguments_the_first_minute_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert FIRST_MINUTE in capsys.readouterr().err


def test_help_lists_every_command_once() -> None:
    assert sorted(name for names in GROUPS.values() for name in names) == sorted(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_in_help_are_valid_commands(name: str) -> None:
    parser = make_command_parser(name, load_command(COMMANDS[name]))
    for example in COMMANDS[name].examples:
        words = shlex.split(example.replace("source <(", "").rstrip(")"))
        ended = next((at for at, word in enumerate(words) if word in ("|", ">")), len(words))
        assert words[:2] == ["dogid", name]
        parse = parser.parse_intermixed_args if COMMANDS[name].mixes_flags else parser.parse_args
        assert parse(words[2:ended])


@pytest.mark.parametrize(
    "arguments", [[], ["bark"], ["--port", "1", "run"], ["classify"], ["classify", "--top", "0", "x"]]
)
def test_wrong_usage_exits_with_2(arguments: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", "dogid", *arguments], capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout


def test_closed_output_pipe_is_not_an_error(tmp_path: Path) -> None:
    photos = [str(tmp_path / f"missing-{number}.jpg") for number in range(2000)]
    command = [sys.executable, "-m", "dogid", "classify", *photos]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()

    assert "Traceback" not in errors


def test_missing_tensorflow_names_the_extra_to_install(tmp_path: Path) -> None:
    (tmp_path / "tensorflow.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'tensorflow'\", name='tensorflow')"
    )
    (tmp_path / "graph.pb").write_bytes(b"\0" * 100)
    done = subprocess.run(
        [sys.executable, "-m", "dogid", "convert", str(tmp_path / "graph.pb"), "-o", str(tmp_path / "m.tflite")],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": f"{tmp_path}:{':'.join(sys.path)}", "PATH": ""},
    )

    assert done.returncode == 2
    assert "make train-env && . .venv-train/bin/activate" in done.stderr


def test_classify_reports_files_in_argument_order(tmp_path: Path) -> None:
    from PIL import Image

    (tmp_path / "folder").mkdir()
    for name in ("folder/b.png", "folder/a.png", "c.png"):
        Image.new("RGB", (300, 200), "green").save(tmp_path / name)
    (tmp_path / "text.jpg").write_text("no photo")
    done = subprocess.run(
        [sys.executable, "-m", "dogid", "classify", "--json", "text.jpg", "c.png", "gone.jpg", "folder"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    results = json.loads(done.stdout)["results"]
    assert done.returncode == 1
    assert [(result["file"], result["status"]) for result in results] == [
        ("text.jpg", "failed"),
        ("c.png", "classified"),
        ("gone.jpg", "failed"),
        ("folder/a.png", "classified"),
        ("folder/b.png", "classified"),
    ]
    assert [result["error"] and result["error"]["code"] for result in results][:3] == ["unsupported", None, "vanished"]
    assert (results[1]["width"], results[1]["height"]) == (300, 200)


def test_state_folder_inside_the_inbox_is_rejected(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "dogid", "run", "--port", "0", "--inbox", str(tmp_path)]
    done = subprocess.run(
        [*command, "--state", str(tmp_path / "state")], capture_output=True, text=True, check=False, timeout=60
    )

    assert done.returncode == 2
    assert "lies in the inbox" in done.stderr
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    ("make", "code", "message"),
    [
        (
            lambda folder: (folder / "a.jpg").write_bytes(bytes(2000)),
            "too_large",
            "at most 1000 are read (--max-bytes)",
        ),
        (lambda folder: os.mkfifo(folder / "a.jpg"), "unsupported", "not a regular file"),
        (lambda folder: (folder / "a.jpg").symlink_to("a.jpg"), "unreadable", "the file cannot be read: "),
    ],
    ids=["large", "pipe", "link to itself"],
)
def test_unclassifiable_file_is_reported_with_reason(
    tmp_path: Path, make: Callable[[Path], object], code: str, message: str
) -> None:
    make(tmp_path)
    done = dogid("classify", "--max-bytes", "1000", str(tmp_path / "a.jpg"))

    assert done.returncode == 1
    assert f"failed, {code}: " in done.stdout
    assert message in done.stdout


def test_unexpected_error_is_one_line_without_debug(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "dogid.shelf.open_model", None)  # an installation from which a file is missing
    monkeypatch.delenv("DOGID_DEBUG", raising=False)
    arguments = ["model", "show", str(tmp_path / "a.tflite")]

    assert main(arguments) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "ModuleNotFoundError" in line
    assert "DOGID_DEBUG=1 shows where it happened" in line
    monkeypatch.setenv("DOGID_DEBUG", "1")
    with pytest.raises(ModuleNotFoundError):
        main(arguments)


def test_instance_of_the_service_is_found_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["results", "--instance", "garden"]) == 2  # there is none here
    assert "/etc/dogid/garden.toml: cannot read the configuration" in capsys.readouterr().err
    assert main(["results", "--instance", "../garden"]) == 2
    assert "must be 1 to 32 of a-z" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "suggestion"),
    [
        (["--verion"], "--verion: no such flag; did you mean `dogid --version`?"),
        (["rsults"], "rsults: no such command; did you mean `dogid results`?"),
        (["results", "--lable", "pug"], "did you mean --label?"),
        (["label", "a.jpg", "pug", "--stat", "x", "--confrim"], "did you mean --confirm?"),
        (["model", "list", "--jsn"], "did you mean --json?"),
    ],
)
def test_misspelt_word_is_answered_by_the_one_meant(
    arguments: list[str], suggestion: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with contextlib.suppress(SystemExit):
        assert main(arguments) == 2
    assert suggestion in capsys.readouterr().err


def test_wrong_tables_are_found_before_port_and_inbox(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text('[outputs.a]\ntype = "webhook"\n')
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = ["--inbox", str(tmp_path / "inbox"), "--state", str(tmp_path / "state")]
        port = ["--port", str(taken.getsockname()[1])]
        done = dogid("run", "--config", str(tmp_path / "bad.toml"), *where, *port)

    assert done.returncode == 2
    assert "outputs.a" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["bad.toml"]
