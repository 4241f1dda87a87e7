"""Photos of kinds that failed in the field: each gives the label of the whole photo, or the code that fits."""

import pytest

from dogid.errors import PhotoError
from dogid.model.classify_photo import classify_photo
from tests.support.collection import FIELD, needs
from tests.support.expected_scores import shipped_classifier

DOGS = {
    "00-whole-dachshund.jpg": "dachshund",
    "00-whole-poodle.jpg": "poodle",
    "00-whole-pug.jpg": "pug",
    "01-thumbnail-whole.jpg": "pug",
    "03-no-eoi.jpg": "pug",
    "03-samsung-panorama-no-eoi.jpg": "pug",
    "04-eoi-then-70k-then-zeros.jpg": "pug",
    "05-tiff-oldjpeg-whole.tif": "pug",
    "06-tiff-thumbnail-first.tif": "pug",
    "07-bigtiff-whole.tif": "pug",
    "07-tiff-lzw-whole.tif": "pug",
    "08-tiff-grey-premultiplied-alpha.tif": "pug",
    "08-tiff-grey-unassociated-alpha.tif": "pug",
    "10-tiff-48bit-contig.tif": "pug",
    "10-tiff-48bit-planar.tif": "pug",
    "11-jpeg-lossless-152.jpg": "pug",
    "11-jpeg-lossless-456.jpg": "pug",
    "13-jfif-header-short.jpg": "pug",
    "14-same-size-dachshund.bmp": "dachshund",
    "14-same-size-pug.bmp": "pug",
}
CODES = {
    "01-thumbnail-cut-in-header.jpg": "truncated",
    "02-cut-40-with-eoi.jpg": "truncated",
    "02-cut-40-with-eoi-pug.jpg": "truncated",
    "05-tiff-oldjpeg-cut30.tif": "truncated",
    "05-tiff-oldjpeg-cut40-dachshund.tif": "truncated",
    "07-bigtiff-cut50.tif": "truncated",
    "07-tiff-lzw-last-8-bytes-missing.tif": "truncated",
    "09-tiff-ycbcr-2x1-uncompressed.tif": "unsupported",
    "11-jpeg-12bit.jpg": "unsupported",
    "11-tiff-webp.tif": "unsupported",
    "12-bmp-bitfields-10-10-10.bmp": "unsupported",
}
AS_THE_WHOLE = ["03-samsung-panorama-no-eoi.jpg", "04-eoi-then-70k-then-zeros.jpg", "13-jfif-header-short.jpg"]


@needs(FIELD)
@pytest.mark.parametrize("name", DOGS)
def test_whole_photo_has_its_label(name: str) -> None:
    found = classify_photo((FIELD / name).read_bytes(), shipped_classifier())

    assert next(iter(found.best(1))) == DOGS[name]
    assert found.width > 0
    if name in AS_THE_WHOLE:
        whole = classify_photo((FIELD / "00-whole-pug.jpg").read_bytes(), shipped_classifier())
        assert found.best() == whole.best()
    if name == "06-tiff-thumbnail-first.tif":
        assert (found.width, found.height) == (600, 450)


@needs(FIELD)
@pytest.mark.parametrize("name", CODES)
def test_photo_without_a_label_has_its_code(name: str) -> None:
    with pytest.raises(PhotoError) as caught:
        classify_photo((FIELD / name).read_bytes(), shipped_classifier())

    assert caught.value.code == CODES[name]
