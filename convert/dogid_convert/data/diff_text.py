"""Changes of training data as JSON and as text."""

from collections.abc import Sequence
from typing import Any

from dogid.file_names import one_line
from dogid.quantities import count_of
from dogid_convert.data.diff import DatasetDiff, Pair, find_conflicting_labels
from dogid_convert.data.manifest import Manifest, ManifestEntry

_SHOWN = 20
"""Files listed of each kind; `--json` has all."""
_VERSION_SHOWN = 12


def as_document(names: tuple[str, str], old: Manifest, new: Manifest, found: DatasetDiff) -> dict[str, Any]:
    """Return the changes as a JSON document; names are those that the user gave the two sides."""
    counts = _counts(old, new)
    return {
        "old": _side(names[0], old),
        "new": _side(names[1], new),
        "same": found.same,
        "labels": {label: {"old": before, "new": after} for label, (before, after) in counts.items()},
        "added": [_entry(entry) for entry in found.added],
        "removed": [_entry(entry) for entry in found.removed],
        "relabelled": [_pair(pair) for pair in found.relabelled],
        "renamed": [_pair(pair) for pair in found.renamed],
        "changed": [_pair(pair) for pair in found.changed],
        "unchanged": found.unchanged,
        "two_labels": {"old": _conflicts(old), "new": _conflicts(new)},
    }


def as_text(document: dict[str, Any]) -> str:
    """Return the document as text."""
    lines = [_side_line(side, document[side]) for side in ("old", "new")]
    lines += ["", *_counts_table(document["labels"])]
    lines += _list_files("added", [item["file"] + _describe_word(item) for item in document["added"]])
    lines += _list_files("removed", [item["file"] for item in document["removed"]])
    for kind, note in (("relabelled", ""), ("renamed", ""), ("changed", ": other contents under the same name")):
        lines += _list_files(kind, [_describe_move(item["old"], item["new"]) for item in document[kind]], note)
    for side in ("old", "new"):
        conflicts = [" = ".join(item["files"]) for item in document["two_labels"][side]]
        lines += _list_files(
            f"with two labels in {side}", conflicts, ": delete the wrong ones, `dogid retrain` leaves such photos out"
        )
    summary = "no difference: the same photos, labels and names" if document["same"] else ""
    return "\n".join([*lines, "", summary or f"{document['unchanged']} unchanged"])


def _describe_move(old: dict[str, Any], new: dict[str, Any]) -> str:
    names = old["file"] if old["file"] == new["file"] else f"{old['file']} -> {new['file']}"
    return names + _describe_word(new)


def _describe_word(entry: dict[str, Any]) -> str:
    """Return who labelled a photo and what the model had guessed, where that is known."""
    if "reviewed" not in entry:
        return ""
    return f" (by {entry['reviewed']['by']}; guessed: {entry['reviewed']['guess']['label'] or 'nothing'})"


def _side(name: str, manifest: Manifest) -> dict[str, Any]:
    return {
        "name": name,
        "version": manifest.version,
        "photos": len(manifest.entries),
        "unreadable": [_entry(entry) for entry in manifest.entries if entry.error]
        + [{"file": file, "error": reason} for file, reason in manifest.left_out],
    }


def _counts(old: Manifest, new: Manifest) -> dict[str, tuple[int, int]]:
    """Photos per label on both sides. A file that one side knows cannot be decoded is not counted on the other."""
    bad = {entry.sha256 for entry in (*old.entries, *new.entries) if entry.error}
    labels = sorted({entry.label for entry in (*old.entries, *new.entries)})

    def count(manifest: Manifest, label: str) -> int:
        return sum(entry.label == label and entry.sha256 not in bad for entry in manifest.entries)

    return {label: (count(old, label), count(new, label)) for label in labels}


def _conflicts(manifest: Manifest) -> list[dict[str, Any]]:
    return [
        {"sha256": same[0].sha256, "files": [entry.file for entry in same]}
        for same in find_conflicting_labels(manifest)
    ]


def _entry(entry: ManifestEntry) -> dict[str, Any]:
    fields = {"file": entry.file, "label": entry.label, "sha256": entry.sha256, "bytes": entry.size}
    fields |= {"error": entry.error} if entry.error else {}
    return fields | ({"reviewed": entry.word} if entry.word else {})


def _pair(pair: Pair) -> dict[str, Any]:
    return {"old": _entry(pair[0]), "new": _entry(pair[1])}


def _side_line(side: str, document: dict[str, Any]) -> str:
    unreadable = len(document["unreadable"])
    note = f", {unreadable} of its files unreadable" if unreadable else ""
    name, version = one_line(document["name"]), document["version"][:_VERSION_SHOWN]
    return f"{side}  {name}: version {version}, {count_of(document['photos'], 'file')}{note}"


def _counts_table(labels: dict[str, dict[str, int]]) -> list[str]:
    wide = max([5, *map(len, labels)])
    lines = [f"{'label':<{wide}} {'old':>7} {'new':>7}"]
    for label, count in labels.items():
        moved = count["new"] - count["old"]
        change = f"  {moved:+}" if moved else ""
        lines.append(f"{label:<{wide}} {count['old']:>7} {count['new']:>7}{change}")
    return lines


def _list_files(kind: str, names: Sequence[str], note: str = "") -> list[str]:
    if not names:
        return []
    more = [f"  ... and {len(names) - _SHOWN} more (all with --json)"] if len(names) > _SHOWN else []
    return ["", f"{len(names)} {kind}{note}", *(f"  {one_line(name)}" for name in names[:_SHOWN]), *more]
