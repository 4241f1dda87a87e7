"""An inbox with a bit of everything."""

from pathlib import Path

from tests.support.photos import photo, put

HOSTILE = "<img src=x onerror=document.title='taken'>.jpg"
TURNED = "invoice\u202egpj.exe.jpg"
HEBREW = "שלום עולם.jpg"
LONGEST = "n" * 251 + ".jpg"
FAILED = ("cut.jpg", "empty.jpg", "text.jpg")

_ORDINARY = 24


def fill(inbox: Path) -> int:
    """Put ordinary photos, hostile names and broken files into an inbox; return how many files that are."""
    for number in range(_ORDINARY):
        put(inbox / f"garden-{number:02d}.jpg", photo(number, size=(480, 320)))
    for seed, name in enumerate((HOSTILE, TURNED, HEBREW, LONGEST), start=100):
        put(inbox / name, photo(seed, size=(300, 500)))
    put(inbox / "cut.jpg", photo(200)[:4000])
    put(inbox / "empty.jpg", b"")
    put(inbox / "text.jpg", b"no photo")
    return _ORDINARY + 4 + len(FAILED)
