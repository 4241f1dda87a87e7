"""`dogid model try FILE LABEL=PHOTO...|DIR`: a model's answers under each usual normalisation, and which one fits."""

import argparse
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dogid import settings
from dogid.commands.output import print_json, print_line, print_message, print_table
from dogid.errors import DogidError, UsageError
from dogid.file_names import join_names

if TYPE_CHECKING:
    from dogid.model.classifier import Model
    from dogid.model.trials import Trial
    from dogid.photo.pixels import Pixels

_MOST_PHOTOS = 200
"""Of a folder, evenly from its labels; more take longer and hardly change which normalisation fits."""

_SHOWN_PHOTOS = 4  # columns of answers in the table
_SHOWN_LABELS = 4  # and, of more photos, labels with their counts


class _Photo(NamedTuple):
    path: Path
    label: str | None
    of_folder: bool = False
    """Whether it was found in a folder, and not named by the user."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add FILE, the photos, --json, and the settings of the model."""
    parser.add_argument("file", type=Path, metavar="FILE", help="a model")
    parser.add_argument(
        "photos",
        nargs="+",
        metavar="LABEL=PHOTO|DIR",
        help="photos with their label, or a folder with a sub-folder per label; without labels the answers are shown, "
        "but not which normalisation fits",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    settings.add_flags(parser, (*settings.MODEL_SETTINGS[1:], "max_bytes", "max_pixels"))


def run(args: argparse.Namespace) -> int:
    """Print the answers under each usual normalisation, the best one first; return 1 where none fits."""
    from dataclasses import replace

    from dogid.model.trials import try_normalisations
    from dogid.photo.decode import limit_pixels
    from dogid.shelf.open_model import open_model

    chosen = replace(settings.load(args), model=args.file)
    limit_pixels(chosen.max_pixels)
    model = open_model(chosen)
    photos, pixels = _decode_all(_find_photos(args.photos, model), model.size, chosen.max_bytes)
    truth = [_find_label(photo, model) for photo in photos]
    trials = try_normalisations(model, pixels, truth)
    document = _describe(model, photos, truth, trials)
    if args.json:
        print_json(document)
    else:
        _print(document, trials)
    return 0 if document["fits"] or not document["labelled"] else 1


def _find_photos(arguments: list[str], model: "Model") -> list[_Photo]:
    photos: list[_Photo] = []
    for text in arguments:
        label, equals, name = text.partition("=")
        if Path(text).is_dir():
            photos += _of_folder(Path(text), model)
        elif Path(text).is_file():
            photos.append(_Photo(Path(text), None))
        elif equals and Path(name).is_file():
            photos.append(_Photo(Path(name), label))
        else:
            raise UsageError(f"{text}: no such photo or folder; give LABEL=PHOTO, or a folder with one per label")
    return photos


def _of_folder(root: Path, model: "Model") -> list[_Photo]:
    """Return photos in a folder, evenly: with labels where its sub-folders have names of labels, else without."""
    from dogid.dataset.labelled_photos import find_photos
    from dogid.dataset.photo_names import may_be_photo

    if not _has_labels(root, model):
        names = sorted(path for path in root.rglob("*") if may_be_photo(path.name) and path.is_file())
        if not names:
            raise UsageError(f"{root}: no photos in it")
        return [_Photo(path, None, of_folder=True) for path in names[:: -(-len(names) // _MOST_PHOTOS)]]
    dataset = find_photos(root, min_labels=1)
    each = max(_MOST_PHOTOS // len(dataset.labels), 1)
    found = []
    for number, label in enumerate(dataset.labels):
        of_label = [photo.path for photo in dataset.photos if photo.label == number]
        found += [_Photo(path, label, of_folder=True) for path in of_label[:: -(-len(of_label) // each)]]
    return found


def _has_labels(root: Path, model: "Model") -> bool:
    from dogid.dataset.label_folders import find_label_folders
    from dogid.dataset.label_matching import match_labels

    try:
        names = [folder.label for folder in find_label_folders(root)]
    except UsageError:  # no sub-folders, or some whose names cannot be labels
        return False
    if any(place is not None for place in match_labels(names, model.labels)):
        return True
    print_message(f"{root}: no folder in it has the name of one of the model's labels: its photos have none")
    return False


def _find_label(photo: _Photo, model: "Model") -> int | None:
    from dogid.dataset.label_matching import match_labels

    if photo.label is None:
        return None
    place = match_labels([photo.label], model.labels)[0]
    if place is not None:
        return place
    raise UsageError(
        f"{photo.label}: the model has no such label; it has {', '.join(model.labels[:8])}"
        + (f" and {len(model.labels) - 8} more" if len(model.labels) > 8 else "")
    )


def _decode_all(photos: list[_Photo], size: tuple[int, int], max_bytes: int) -> "tuple[list[_Photo], list[Pixels]]":
    """Return the photos and their pixels, without those of folders that cannot be decoded, which are named."""
    decoded, pixels = [], []
    for photo in photos:
        try:
            pixels.append(_decode(photo.path, size, max_bytes))
            decoded.append(photo)
        except DogidError as error:
            if not photo.of_folder:
                raise
            print_message(f"left out: {error}")
    if not decoded:
        raise DogidError("none of the photos can be decoded")
    return decoded, pixels


def _decode(path: Path, size: tuple[int, int], max_bytes: int) -> "Pixels":
    from dogid.errors import PhotoError
    from dogid.photo.decode import decode

    try:
        if path.stat().st_size > max_bytes:
            raise DogidError(f"{path}: more than {max_bytes} bytes (--max-bytes)")
        return decode(path.read_bytes(), size).pixels
    except OSError as error:
        raise DogidError(f"{path}: cannot be read: {error.strerror}") from error
    except PhotoError as error:
        raise DogidError(f"{path}: {error.message}") from error


def _describe(model: "Model", photos: list[_Photo], truth: list[int | None], trials: "list[Trial]") -> dict[str, Any]:
    from dogid.model.trials import find_better, find_ties

    labelled = sum(label is not None for label in truth)
    best, better = trials[0], find_better(trials)
    present = next(trial for trial in trials if trial.is_present)
    fits = labelled > 0 and sum(best.hits) > 1.5 * labelled / len(model.labels)
    return {
        "file": str(model.file.path),
        "photos": len(photos),
        "labelled": labelled,
        "present": {"normalisation": present.normalisation, "channels": present.channels, "origin": model.input.origin},
        "fits": _name(best) if fits else None,
        "fit_as_well": [_name(trial) for trial in find_ties(trials)] if fits else [],
        "is_surely_better": better is not None,
        "trials": [_trial(model, photos, trial) for trial in trials],
    }


def _name(trial: "Trial") -> dict[str, str]:
    return {"normalisation": trial.normalisation, "channels": trial.channels, "flags": trial.flags}


def _trial(model: "Model", photos: list[_Photo], trial: "Trial") -> dict[str, Any]:
    answers = []
    for photo, scores in zip(photos, trial.scores, strict=True):
        top = int(scores.argmax())
        answers.append({
            "file": str(photo.path), "wanted": photo.label, "label": model.labels[top],
            "score": round(float(scores[top]), 6),
        })  # fmt: skip
    return {
        "normalisation": trial.normalisation,
        "channels": trial.channels,
        "present": trial.is_present,
        "right": sum(trial.hits),
        "fit": round(trial.fit, 4),
        "answers": answers,
    }


def _print(document: dict[str, Any], trials: "list[Trial]") -> None:
    labelled = document["labelled"]
    few = document["photos"] <= _SHOWN_PHOTOS
    rows = []
    for trial, shown in zip(trials, document["trials"], strict=True):
        right = f"{shown['right']} of {labelled} right" if labelled else ""
        answers = shown["answers"]
        cells = [f"{answer['label']} {answer['score']:.3f}" for answer in answers] if few else [_count(answers)]
        rows.append([trial.name, right, *cells, "(now)" if trial.is_present else ""])
    names = [Path(answer["file"]).name for answer in document["trials"][0]["answers"]] if few else ["answers"]
    print_table(rows, ["normalisation", "", *names, ""])
    if not labelled:
        print_message("which of them fits is not known without labels: give some, as in LABEL=PHOTO")
    elif document["fits"] is None:
        print_message("none of them fits: the right labels come about as often as by chance")
    else:
        print_line(_advise(document, trials))


def _count(answers: list[dict[str, Any]]) -> str:
    """Return how often each label is the answer, the most frequent ones first."""
    counts = Counter(answer["label"] for answer in answers).most_common()
    return join_names([f"{label} {count}" for label, count in counts], _SHOWN_LABELS)


def _advise(document: dict[str, Any], trials: "list[Trial]") -> str:
    from dogid.model.trials import find_ties

    best = trials[0]
    ties = [trial.name for trial in find_ties(trials)]
    doubt = "" if ties or best.is_present or document["is_surely_better"] else ", on too few photos to be sure"
    fits = f"{best.name} fits{'' if ties else ' best'}{doubt}"
    also = f". As many are right with {join_names(ties, 3)}: more photos show the difference" if ties else ""
    return (f"{fits}: nothing to set" if best.is_present else f"{fits}; set it by {best.flags or 'no flag'}") + also
