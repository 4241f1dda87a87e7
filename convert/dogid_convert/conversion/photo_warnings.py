"""What may be wrong with the photos that a conversion is calibrated and compared on."""

from collections import Counter

from dogid.dataset.label_matching import match_labels
from dogid.file_names import join_names
from dogid.quantities import count_of
from dogid_convert.conversion.label_files import GraphLabels
from dogid_convert.conversion.photo_sets import PhotoFolder

FEW = 50
"""Photos, below which the ranges of layers may come out too narrow. More warn of folders that are large enough."""


def collect_warnings(folder: PhotoFolder | None, labels: GraphLabels) -> list[str]:
    """Return warnings for people, of a folder of photos and the labels of a graph."""
    twice = [name for name, count in Counter(labels.names).items() if count > 1]
    found = [f"{labels.path}: several outputs have the same label: {join_names(twice, 5)}"] if twice else []
    if folder is None:
        return found
    if len(folder.photos) < FEW:
        found.append(
            f"only {count_of(len(folder.photos), 'photo')} in {folder.folder}: the layers' ranges may come out too "
            f"narrow, and agreement is known only roughly; give {FEW} or more"
        )
    places = set(match_labels(folder.labels, labels.names)) - {None}
    if places and len(places) < len(labels.names):
        missing = [name for i, name in enumerate(labels.names) if i not in places]
        found.append(f"no photos of {', '.join(missing[:8])} in {folder.folder}: the model is not calibrated on them")
    return found
