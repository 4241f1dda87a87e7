"""Numbers with their nouns, in messages for people."""


def count_of(number: int, noun: str, plural: str | None = None) -> str:
    """Return the number with the noun in its form: "1 photo", "1,200 photos"; plural where it is not noun + s."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
