"""What cannot be loaded just now is an error of the machine, which passes, and none of the photo."""

import errno
import sys

import pytest
from PIL import WebPImagePlugin

from dogid.photo.decode import decode
from tests.photo.whole_photos import whole_photos

SIZE = (64, 64)


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("GIF", "PIL.GifImagePlugin"),
        ("GIF", "dogid.photo.extent.gif"),
        ("TIFF", "dogid.photo.tiff"),
        ("WEBP", "dogid.photo.webp_header"),
    ],
)
def test_module_that_cannot_be_loaded_is_no_error_of_the_photo(
    name: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as missing:
        missing.setitem(sys.modules, module, None)
        with pytest.raises(OSError, match="cannot be decoded just now") as caught:
            decode(whole_photos()[name], SIZE)

    assert caught.value.errno == errno.ELIBACC
    assert decode(whole_photos()[name], SIZE).complete


def test_library_that_was_not_loaded_is_loaded_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WebPImagePlugin, "SUPPORTED", False)  # as after a moment without memory
    with pytest.raises(OSError, match="WEBP support not installed"):
        decode(whole_photos()["WEBP animated"], SIZE)

    assert decode(whole_photos()["WEBP animated"], SIZE).complete
