"""Whether files can be written is found out before a long run, without a trace."""

from pathlib import Path

import pytest

from dogid.errors import UsageError
from dogid.system.writable_folder import check_file_writable, check_writable


def test_write_check_leaves_no_trace(tmp_path: Path) -> None:
    check_writable(tmp_path / "new" / "folder")

    assert not list(tmp_path.iterdir())
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is a file"):
        check_writable(tmp_path / "file" / "folder")


def test_file_in_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"missing: no such folder to write report\.html into"):
        check_file_writable(tmp_path / "missing" / "report.html")

    check_file_writable(tmp_path / "report.html")
    assert not list(tmp_path.iterdir())
