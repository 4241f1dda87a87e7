"""Which labels there are, by models and by people, and what is said of one that is none."""

import sqlite3

from dogid.ledger.stored_labels import find_similar_labels, parse_labels

_GIVEN_LABELS = """SELECT DISTINCT label FROM review WHERE typeof(label) = 'text'
    AND id = (SELECT max(id) FROM review AS word WHERE word.sha256 = review.sha256)"""
_NAMED_LABELS = 20  # more make an error message unreadable


def list_known_labels(db: sqlite3.Connection) -> list[str]:
    """Return the labels of all models that the ledger knows and those by people that stand, in alphabetical order."""
    models = db.execute("SELECT labels FROM model")
    known = {label for (labels,) in models for label in parse_labels(labels) or ()}
    return sorted(known.union(label for (label,) in db.execute(_GIVEN_LABELS)))


def explain_unknown_label(db: sqlite3.Connection, label: str) -> str | None:
    """Return an error message that names the labels there are, the most similar first; None where label is one."""
    known = list_known_labels(db)
    if label in known:
        return None
    similar = find_similar_labels(label, known, 3)
    named = [*similar, *(other for other in known if other not in similar)]
    more = f" and {len(named) - _NAMED_LABELS} others" if len(named) > _NAMED_LABELS else ""
    return f"there is no label {label!r}; labels are {', '.join(named[:_NAMED_LABELS]) or 'none yet'}{more}"
