"""`dogid export` replaces its own former file, and nothing else."""

import os
from pathlib import Path

import pytest

from tests.exporting.answered_ledger import export
from tests.ledger.ledger_folder import Inbox
from tests.support.photos import photo


@pytest.mark.parametrize("kind", ["csv", "megadetector"])
def test_only_a_former_export_is_replaced(
    kind: str, answered: Inbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target, other = tmp_path / "out", {"csv": "megadetector", "megadetector": "csv"}[kind]
    target.touch()  # as mktemp makes one
    for _ in range(2):
        assert export(answered, "-o", target, "--format", kind) == 0
    former = target.read_bytes()
    assert export(answered, "-o", target, "--format", other) == 2

    foreign = (photo(1), b"id,file\n1,a.jpg\n", b'{"images": [], "info": {"summary_report": "x"}}\n', former[9:])
    for content in foreign:
        target.write_bytes(content)
        assert export(answered, "-o", target, "--format", kind) == 2
        assert "name another file, or replace it with --force" in capsys.readouterr().err
        assert target.read_bytes() == content
    assert export(answered, "-o", target, "--format", kind, "--force") == 0
    assert target.read_bytes() == former


def test_what_is_no_file_is_never_replaced(answered: Inbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert export(answered, "-o", tmp_path / "pipe", "--force") == 2
    assert "pipe is no file: name a file with -o, or - for stdout" in capsys.readouterr().err
