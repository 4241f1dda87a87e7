"""Names of files that file managers leave in folders of photos."""

_NOT_PHOTOS = frozenset({"thumbs.db", "desktop.ini", "ehthumbs.db", "icon\r"})


def may_be_photo(name: str) -> bool:
    """Return whether a file of that name may be a photo: it is not hidden, and no file manager's own."""
    return not name.startswith(".") and name.lower() not in _NOT_PHOTOS
