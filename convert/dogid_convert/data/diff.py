"""Changes between two versions of training data."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from dogid_convert.data.manifest import Manifest, ManifestEntry

Pair = tuple[ManifestEntry, ManifestEntry]
"""The same photo, or the same name: (old, new)."""


@dataclass(frozen=True, slots=True)
class DatasetDiff:
    """Each file of either side is in exactly one of these groups, or unchanged."""

    added: tuple[ManifestEntry, ...]
    removed: tuple[ManifestEntry, ...]
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


def compare(old: Manifest, new: Manifest) -> DatasetDiff:
    """Return the changes of the files from old to new."""
    left, right = list(old.entries), list(new.entries)
    unchanged = _pairs(left, right, lambda entry: (entry.file, entry.sha256))
    # copies of a photo are paired with the most similar entry first
    renamed = _pairs(left, right, lambda entry: (entry.label, entry.sha256))
    relabelled = _pairs(left, right, lambda entry: (entry.sha256, _base(entry)))
    relabelled += _pairs(left, right, lambda entry: entry.sha256)
    changed = _pairs(left, right, lambda entry: entry.file)
    return DatasetDiff(
        added=tuple(right),
        removed=tuple(left),
        relabelled=tuple(sorted(relabelled, key=lambda pair: pair[1].file)),
        renamed=tuple(renamed),
        changed=tuple(changed),
        unchanged=len(unchanged),
    )


def find_conflicting_labels(manifest: Manifest) -> list[tuple[ManifestEntry, ...]]:
    """Return the photos that are under more than one label, each as its files."""
    places: dict[str, list[ManifestEntry]] = {}
    for entry in (entry for entry in manifest.entries if entry.error is None):
        places.setdefault(entry.sha256, []).append(entry)
    return [tuple(same) for same in places.values() if len({entry.label for entry in same}) > 1]


def _pairs(left: list[ManifestEntry], right: list[ManifestEntry], key: Callable[[ManifestEntry], object]) -> list[Pair]:
    """Remove pairs of entries with equal keys from both sides, in order, and return them."""
    candidates: dict[object, list[ManifestEntry]] = {}
    for entry in left:
        candidates.setdefault(key(entry), []).append(entry)
    found = [(candidates[key(entry)].pop(0), entry) for entry in right if candidates.get(key(entry))]
    _remove(left, (pair[0] for pair in found))
    _remove(right, (pair[1] for pair in found))
    return found


def _remove(entries: list[ManifestEntry], gone: Iterable[ManifestEntry]) -> None:
    names = {entry.file for entry in gone}  # names are unique on each side
    entries[:] = [entry for entry in entries if entry.file not in names]


def _base(entry: ManifestEntry) -> str:
    return entry.file.rpartition("/")[2]
