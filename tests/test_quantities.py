"""Numbers stand with the right form of their noun; what is no score is refused."""

import pytest

from dogid.quantities import count_of, parse_typed_score


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


def test_score_is_a_number_from_0_to_1() -> None:
    assert [parse_typed_score(text) for text in ("0", ".5", "1e-3", "1")] == [0, 0.5, 0.001, 1]
    for text in ("", "half", "-0.1", "1.1", "nan", "inf", "0_1", "0,5"):
        with pytest.raises(ValueError, match="it must be a number from 0 to 1"):
            parse_typed_score(text)
