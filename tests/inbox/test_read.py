"""The error of a photo that cannot be read, and whether its chmod hint works."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.daemon import environment
from tests.support.photos import photo, put
from tests.support.privileges import needs_root, without_override

READ = """
import sys, os
from pathlib import Path
from dogid.inbox.read import TemporaryError, read_photo
try:
    print(len(read_photo(Path(sys.argv[1]), os.fsencode(sys.argv[2]), 10**9).data))
except TemporaryError as error:
    print(error)
"""


def read_or_error(inbox: Path, path: str) -> str:
    """Read a photo with the permissions of an ordinary user; return its size, or the error."""
    command = [*without_override(), sys.executable, "-c", READ, str(inbox), path]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment()).stdout.strip()


@pytest.mark.parametrize(("closed", "hint"), [("sub/a.jpg", "chmod u+r {}"), ("sub", "chmod -R u+rX {}")])
def test_chmod_hint_for_own_files_works(inbox: Path, closed: str, hint: str) -> None:
    data = photo(1)
    put(inbox / "sub" / "a.jpg", data)
    (inbox / closed).chmod(0)

    error = read_or_error(inbox, "sub/a.jpg")
    assert error == f"Permission denied (EACCES); try: {hint.format(inbox / closed)}"
    subprocess.run(error.partition("try: ")[2].split(), check=True)

    assert read_or_error(inbox, "sub/a.jpg") == str(len(data))


@needs_root
@pytest.mark.parametrize(("group", "who"), [(os.getegid(), "g"), (12345, "a")])
def test_chmod_hint_for_files_of_others_names_group_or_all(inbox: Path, group: int, who: str) -> None:
    path = put(inbox / "a.jpg", photo(1))
    os.chown(path, 12345, group)
    path.chmod(0o600)

    assert read_or_error(inbox, "a.jpg") == f"Permission denied (EACCES); try: chmod {who}+r {path}"
