"""What a picture's address says of its content: numbers of results begin anew with a new ledger, and mean others."""

_DIGITS = 12  # of the SHA-256; a guess is right once in 10**14


def version(sha256: str, size: tuple[int, int] | None = None) -> str:
    """Given a photo's SHA-256, and the model's (width, height) for what it saw, return the `v` of the address."""
    return sha256[:_DIGITS] if size is None else f"{sha256[:_DIGITS]}-{size[0]}x{size[1]}"
