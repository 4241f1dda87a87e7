"""Forms with photos are read piece by piece: only the photos are written, each closed before the next begins."""

import io
import os
from pathlib import Path

import pytest

from dogid.inbox.incoming import IncomingPhoto
from dogid.inbox.safe_open import open_root
from dogid.web.api.photo_form import write_form
from dogid.web.errors import ApiError
from tests.support.photos import photo


def part(data: bytes, field: str, name: str | None = None) -> bytes:
    """A part of a form: a file, where it has a name."""
    file = "" if name is None else f'; filename="{name}"'
    return f'--XX\r\nContent-Disposition: form-data; name="{field}"{file}\r\n\r\n'.encode() + data + b"\r\n"


def test_only_photos_of_the_field_are_written(tmp_path: Path) -> None:
    with open_root(tmp_path) as root:
        form = (
            part(b"x" * 700, "notes", "notes.txt")
            + part(b"", "file", "")
            + part(b"x" * 700_000, "comment")
            + part(photo(1), "file", "")
            + part(photo(2), "file", "two.jpg")
        )
        photos = write_form(io.BytesIO(form + b"--XX--\r\n"), "XX", lambda: IncomingPhoto(root, 100_000))
    assert [(name, one.size) for name, one in photos] == [("", len(photo(1))), ("two.jpg", len(photo(2)))]
    assert sorted(path.read_bytes() for path in tmp_path.iterdir()) == sorted((photo(1), photo(2)))


def test_photos_of_a_form_are_open_one_at_a_time(tmp_path: Path) -> None:
    numbers = list[int]()
    with open_root(tmp_path) as root:

        def begin() -> IncomingPhoto:
            incoming = IncomingPhoto(root, 100_000)
            numbers.append(len([path for path in os.listdir("/proc/self/fd") if _leads_into(path, tmp_path)]))
            return incoming

        form = b"".join(part(photo(1), "file", "a.jpg") for _ in range(20)) + b"--XX--\r\n"
        assert len(write_form(io.BytesIO(form), "XX", begin)) == 20
    assert set(numbers) == {2}  # the folder and one photo


@pytest.mark.parametrize(
    ("form", "status", "message"),
    [
        (part(photo(1), "file", "a.jpg") + part(b"", "file", "b.jpg") + b"--XX--", 415, "b.jpg: the file is empty"),
        (part(b"", "comment") * 1001 + b"--XX--", 413, "a form may have at most 1000 photos and fields"),
        (b"x" * 600_000, 413, "the form has more than 500000 bytes around a photo"),
        (part(photo(1), "file", "a.jpg"), 400, "the form cannot be read"),
        (part(photo(1), "file", "a.jpg")[:-9], 400, "the form cannot be read"),
    ],
    ids=["empty photo", "many parts", "no form", "no end", "cut"],
)
def test_refused_form_names_its_reason(tmp_path: Path, form: bytes, status: int, message: str) -> None:
    with open_root(tmp_path) as root, pytest.raises(ApiError, match=message) as refused:
        write_form(io.BytesIO(form), "XX", lambda: IncomingPhoto(root, 100_000))
    assert refused.value.status == status


def _leads_into(descriptor: str, folder: Path) -> bool:
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}").startswith(str(folder))
    except OSError:
        return False
