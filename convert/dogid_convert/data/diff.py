"""What changed between two versions of training data."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from dogid_convert.data.manifest import Entry, Manifest

Pair = tuple[Entry, Entry]
"""The same photo, or the same name: (old, new)."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Each file of either side is in exactly one of these, or unchanged."""

    added: tuple[Entry, ...]
    removed: tuple[Entry, ...]
    relabelled: tuple[Pair, ...]
    """The same content under another label."""
    renamed: tuple[Pair, ...]
    """The same content and label under another name."""
    changed: tuple[Pair, ...]
    """Another content under the same name."""
    unchanged: int

    @property
    def same(self) -> bool:
        """Whether nothing changed at all."""
        return not (self.added or self.removed or self.relabelled or self.renamed or self.changed)


def compare(old: Manifest, new: Manifest) -> Difference:
    """Return what happened to the files of old on the way to new."""
    left, right = list(old.entries), list(new.entries)
    unchanged = _pairs(left, right, lambda entry: (entry.file, entry.sha256))
    # a photo that is there more than once is paired with its nearest relative first
    renamed = _pairs(left, right, lambda entry: (entry.label, entry.sha256))
    relabelled = _pairs(left, right, lambda entry: (entry.sha256, _base(entry)))
    relabelled += _pairs(left, right, lambda entry: entry.sha256)
    changed = _pairs(left, right, lambda entry: entry.file)
    return Difference(
        added=tuple(right),
        removed=tuple(left),
        relabelled=tuple(sorted(relabelled, key=lambda pair: pair[1].file)),
        renamed=tuple(renamed),
        changed=tuple(changed),
        unchanged=len(unchanged),
    )


def with_two_labels(manifest: Manifest) -> list[tuple[Entry, ...]]:
    """Return each photo that lies under more than one label, as its files."""
    places: dict[str, list[Entry]] = {}
    for entry in (entry for entry in manifest.entries if entry.error is None):
        places.setdefault(entry.sha256, []).append(entry)
    return [tuple(same) for same in places.values() if len({entry.label for entry in same}) > 1]


def _pairs(left: list[Entry], right: list[Entry], key: Callable[[Entry], object]) -> list[Pair]:
    """Take from both sides the entries with equal keys, one for one, in order."""
    waiting: dict[object, list[Entry]] = {}
    for entry in left:
        waiting.setdefault(key(entry), []).append(entry)
    found = [(waiting[key(entry)].pop(0), entry) for entry in right if waiting.get(key(entry))]
    _remove(left, (pair[0] for pair in found))
    _remove(right, (pair[1] for pair in found))
    return found


def _remove(entries: list[Entry], gone: Iterable[Entry]) -> None:
    names = {entry.file for entry in gone}  # a name is there once on each side
    entries[:] = [entry for entry in entries if entry.file not in names]


def _base(entry: Entry) -> str:
    return entry.file.rpartition("/")[2]
