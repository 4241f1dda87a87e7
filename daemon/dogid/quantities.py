"""Numbers as people read and type them."""


def count_of(number: int, noun: str, plural: str | None = None) -> str:
    """Return the number with the noun in its form: "1 photo", "1,200 photos"; plural where it is not noun + s."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def parse_typed_score(text: str) -> float:
    """Return a score, 0 to 1, that a person typed. Raise ValueError, with what may be typed."""
    try:
        score = float(text) if text.isascii() and "_" not in text else -1.0
    except ValueError:
        score = -1.0
    if not 0 <= score <= 1:  # also NaN
        raise ValueError("it must be a number from 0 to 1")
    return score
