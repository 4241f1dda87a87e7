"""The tables of an earlier export into the same folder, with what a person has filled in."""

import csv
import io
from pathlib import Path

from dogid.errors import UsageError
from dogid.exporting.camtrap_tables import DEPLOYMENT_COLUMNS, LABEL_COLUMNS, LabelMeaning
from dogid.exporting.label_kinds import LabelKind, guess_kind
from dogid.result_table import restore


def read_deployments(path: Path) -> dict[str, dict[str, str]]:
    """Return the rows of a table of deployments by their ids; those that are empty are left out. Raise UsageError."""
    found: dict[str, dict[str, str]] = {}
    for row in _read_table(path, DEPLOYMENT_COLUMNS[0]):
        name = row["deploymentID"]
        if name in found:
            raise UsageError(f"{path}: deploymentID: {name} is there twice: make one row of them")
        if any(row.values()):
            found[name] = row
    return found


def read_labels(path: Path) -> dict[str, LabelMeaning]:
    """Return what a person has filled in for each label. Raise UsageError."""
    labels = {}
    for row in _read_table(path, *LABEL_COLUMNS):
        label = restore(row["label"])
        kind = row["observationType"].strip().lower() or guess_kind(label)
        if kind not in list(LabelKind):
            raise UsageError(
                f"{path}: observationType of {label}: {kind} is none of {', '.join(LabelKind)}: write one of these"
            )
        others = {column: cell for column, cell in row.items() if column not in LABEL_COLUMNS}
        labels[label] = LabelMeaning(kind, row["scientificName"].strip(), others)
    return labels


def _read_table(path: Path, *needed: str) -> list[dict[str, str]]:
    """Return the rows of a table as a person's spreadsheet may have saved it: with `;`, where numbers have commas.

    needed: names of columns. Raise UsageError.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
        header = text.partition("\n")[0]
        rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=header.count)))
    except FileNotFoundError:
        return []
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path}: cannot be read as CSV in UTF-8 ({error}): save it so, or delete it") from error
    if rows and not rows[0].keys() >= set(needed):
        raise UsageError(f"{path}: the columns {', '.join(needed)} are not all there: put them back, or delete it")
    return [{key: value or "" for key, value in row.items() if isinstance(key, str)} for row in rows]
