"""The small pictures of all views, which `make readme-pictures` makes."""

from PIL import Image

from tests.web.browser.readme_pictures import FOLDER, SCREENS, VIEWS

_MOST_BYTES = 1_000_000


def test_every_view_has_a_small_picture_on_each_screen() -> None:
    expected = {f"{view}-{screen}.webp": size for view in VIEWS for screen, (size, _) in SCREENS.items()}
    found = {path.name: path for path in FOLDER.glob("*.webp")}
    assert found.keys() == expected.keys()
    for name, path in found.items():
        with Image.open(path) as picture:
            assert {"width": picture.width, "height": picture.height} == expected[name], name
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < _MOST_BYTES
