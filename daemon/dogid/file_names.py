"""File names are bytes to the kernel and text to people: how dogid goes from one to the other."""

from urllib.parse import unquote_to_bytes


def shown_name(path: bytes) -> str:
    """Given a file name's bytes, return text: itself where it is UTF-8, else with its other bytes percent-encoded.

    Then `%` is encoded too, so that the text leads back to the bytes.
    """
    try:
        return path.decode("utf-8")
    except UnicodeDecodeError:
        text = path.replace(b"%", b"%25").decode("utf-8", "surrogateescape")
        return "".join(f"%{ord(letter) - 0xDC00:02X}" if "\udc80" <= letter <= "\udcff" else letter for letter in text)


def possible_names(shown: str) -> tuple[bytes, ...]:
    """Given a name that a person or program passes, return the file names it may stand for, the literal one first."""
    literal = shown.encode("utf-8", "surrogateescape")
    decoded = unquote_to_bytes(literal)
    return (literal,) if decoded == literal else (literal, decoded)


def one_line(text: str) -> str:
    """Given any text, return it without line breaks and control characters, for a log or a terminal."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
