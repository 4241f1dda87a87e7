"""Numbers stand with the right form of their noun."""

import pytest

from dogid.quantities import count_of


@pytest.mark.parametrize(
    ("number", "words", "expected"),
    [
        (0, ("photo",), "0 photos"),
        (1, ("photo",), "1 photo"),
        (1200, ("photo",), "1,200 photos"),
        (1, ("photo looks", "photos look"), "1 photo looks"),
        (2, ("photo looks", "photos look"), "2 photos look"),
    ],
)
def test_noun_has_its_form(number: int, words: tuple[str, ...], expected: str) -> None:
    assert count_of(number, *words) == expected
