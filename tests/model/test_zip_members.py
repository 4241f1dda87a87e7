"""What a zip says about itself costs no memory."""

import io
import tracemalloc
import zipfile

import pytest

from dogid.model.zip_members import read_member


def archive_of(content: bytes, method: int, stated: int) -> zipfile.ZipFile:
    """A zip of one member, which states another size."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        archive.writestr("a", content)
        archive.getinfo("a").file_size = stated
    return zipfile.ZipFile(stream)


@pytest.mark.parametrize("stated", [100, 1 << 30])
def test_member_larger_than_stated_takes_no_memory(stated: int) -> None:
    archive = archive_of(bytes(64 << 20), zipfile.ZIP_DEFLATED, stated)
    tracemalloc.start()
    try:
        with pytest.raises((ValueError, zipfile.BadZipFile), match=r"at most 1,000 are read|Bad CRC-32"):
            read_member(archive, archive.getinfo("a"), 1000)
        assert tracemalloc.get_traced_memory()[1] < 1e6
    finally:
        tracemalloc.stop()


def test_bzip2_is_refused_before_it_is_unpacked() -> None:
    archive = archive_of(b"a", zipfile.ZIP_BZIP2, 1)

    with pytest.raises(ValueError, match="compressed by a method that is not read; deflate is"):
        read_member(archive, archive.getinfo("a"), 1000)
