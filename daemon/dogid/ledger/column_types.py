"""The types that the values of a row may have: damage can make any type of any other."""

import sqlite3


class ColumnTypes:
    """The types that each of a query's columns may have, in their order."""

    def __init__(self, *allowed: set[type]) -> None:
        self._allowed = allowed
        self._found: set[tuple[type, ...]] = set()  # that were checked: a ledger has a handful

    def are_those_of(self, row: sqlite3.Row) -> bool:
        """Whether the columns of a row have such types; columns after these may have any."""
        types = tuple(map(type, row))
        if types in self._found:
            return True
        are_allowed = all(found in allowed for found, allowed in zip(types, self._allowed, strict=False))
        if are_allowed:
            self._found.add(types)
        return are_allowed
