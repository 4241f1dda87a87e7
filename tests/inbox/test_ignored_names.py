"""Names that are never photos."""

import pytest

from dogid.inbox.ignored_names import is_ignored, is_ignored_path

IGNORED = [
    *(".hidden", ".photo.jpg.Xa81bQ", "._photo.jpg", ".DS_Store", ".nfs000000001", ".Trash-1000", ".stfolder"),
    *(".syncthing.photo.jpg.tmp", "~syncthing~photo.jpg.tmp", ".pureftpd-upload.5", "photo.jpg.ocTransferId1.part"),
    *("photo.jpg.part", "photo.jpg.filepart", "photo.jpg.crdownload", "photo.jpg.tacitpart", "photo.jpg.partial"),
    *("photo.jpg.download", "photo.jpg.aria2", "photo.jpg.!qB", "photo.jpg~", "~$photo.jpg", "photo.JPG.PART"),
    *("@eaDir", "#recycle", "Thumbs.db", "THUMBS.DB", "desktop.ini", "lost+found", "$RECYCLE.BIN", "__MACOSX"),
    *("photo.jpg.!sync", "photo.jpg.bts", "photo.jpg.ffs_tmp", "photo.jpg.~1a2b3c", "photo.jpg.sb-3f2a1b-x8KdQ1"),
]

PHOTOS = [
    *("photo.jpg", "PHOTO.JPG", "photo", "photo.heic", "partly.jpg", "part.png", "tmp", "tmp.jpg", "temp.jpeg"),
    *("a.tmp.jpg", "download.jpg", "~photo.jpg", "thumbs.jpg", "recycle", "#1.jpg", "@home.jpg", "$5.jpg", "-.jpg"),
    *("photo.~1a2b.jpg", "sync.jpg", "photo.sb-1.jpg"),
]


@pytest.mark.parametrize("name", IGNORED)
def test_hidden_and_temporary_names_are_ignored(name: str) -> None:
    assert is_ignored(name.encode())
    assert is_ignored_path(b"folder/" + name.encode() + b"/photo.jpg")


@pytest.mark.parametrize("name", PHOTOS)
def test_ordinary_names_are_not_ignored(name: str) -> None:
    assert not is_ignored(name.encode())


def test_names_with_line_breaks_and_any_bytes_are_recognised() -> None:
    assert is_ignored(b".hidden\n.jpg")
    assert not is_ignored(b"caf\xe9\n.jpg")
