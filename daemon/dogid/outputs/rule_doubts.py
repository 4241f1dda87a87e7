"""What rules ask for that never was: a slip of the pen is no error, as a label or a folder may still come."""

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from fnmatch import fnmatchcase

from dogid.file_names import shown_name
from dogid.ledger.stored_labels import find_similar_labels
from dogid.outputs.preparation import PreparedOutputs
from dogid.outputs.rules import FORCED, WORDS, Rule, expand_folder


def find_rule_doubts(rules: Sequence[Rule], labels: Collection[str], ledger: sqlite3.Connection | None) -> list[str]:
    """Return a line for each label that is none of labels, and each folder that the ledger knows no photo of.

    labels: of the model and of the ledger; where there are none, none is in doubt. ledger: None where there is none.
    """
    doubts = [line for rule in rules for line in _doubt_labels(rule, labels)] if labels else []
    if ledger is not None and any(rule.folders for rule in rules):
        folders = _list_folders(ledger)
        doubts += [line for rule in rules for line in _doubt_folders(rule, folders)]
    return doubts


def find_idle_outputs(prepared: PreparedOutputs) -> list[str]:
    """Return a line for each output that gets nothing, as it is for events of rules, and no rule names it."""
    named = {name for rule in prepared.configuration.rules for name in rule.to}
    return [
        f"output {each.entry.name} gets nothing: no rule names it in `to`"
        for each in prepared.outputs
        if not each.output.wants_all and each.entry.name not in named
    ]


def _doubt_labels(rule: Rule, labels: Collection[str]) -> Iterator[str]:
    for label in rule.labels or ():
        plain = label.removeprefix(FORCED)
        if plain in labels or label in labels or label in WORDS:
            continue
        similar = find_similar_labels(plain, [*labels, *WORDS], 1)
        hint = f"; did you mean {similar[0]!r}?" if similar else ""
        yield f"rule {rule.name} has matched nothing by the label {plain!r}, which no model and no result has{hint}"


def _doubt_folders(rule: Rule, folders: Collection[str]) -> Iterator[str]:
    for pattern in rule.folders or ():
        expanded = expand_folder(pattern)
        if folders and not any(fnmatchcase(folder, each) for folder in folders for each in expanded):
            yield f"rule {rule.name} has matched nothing by the folder {pattern!r}, in which no photo ever was"


def _list_folders(ledger: sqlite3.Connection) -> set[str]:
    """Return the folders of all photos, as they are shown; '' for the inbox itself."""
    paths = ledger.execute("SELECT path FROM photo WHERE state != 'superseded' AND typeof(path) = 'blob'")
    return {shown_name(folder) for folder in {bytes(path).rpartition(b"/")[0] for (path,) in paths}}
