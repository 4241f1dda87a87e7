"""`dogid model try FILE LABEL=PHOTO...|DIR`: which normalisation fits a model, by photos whose labels are known."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dogid import settings
from dogid.commands.output import print_json, print_line, print_message, print_table
from dogid.errors import DogidError, UsageError
from dogid.file_names import one_line

if TYPE_CHECKING:
    from dogid.model.classifier import Model
    from dogid.model.trials import Trial
    from dogid.photo.pixels import Pixels

_MOST_PHOTOS = 200
"""Of a folder, evenly from its labels; more take longer and hardly change which normalisation fits."""

_SHOWN_PHOTOS = 4  # columns of answers in the table


class _Photo(NamedTuple):
    path: Path
    label: str | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add FILE, the photos, --json, and the settings of the model."""
    parser.add_argument("file", type=Path, metavar="FILE", help="a model")
    parser.add_argument(
        "photos", nargs="+", metavar="LABEL=PHOTO|DIR", help="photos with their label, or a folder with one per label"
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
    photos = _find_photos(args.photos)
    truth = [_find_label(photo, model) for photo in photos]
    pixels = [_decode(photo.path, model.size, chosen.max_bytes) for photo in photos]
    trials = try_normalisations(model, pixels, truth)
    document = _describe(model, photos, truth, trials)
    if args.json:
        print_json(document)
    else:
        _print(document, trials)
    return 0 if document["fits"] or not document["labelled"] else 1


def _find_photos(arguments: list[str]) -> list[_Photo]:
    photos: list[_Photo] = []
    for text in arguments:
        label, equals, name = text.partition("=")
        if Path(text).is_dir():
            photos += _of_folder(Path(text))
        elif Path(text).is_file():
            photos.append(_Photo(Path(text), None))
        elif equals and Path(name).is_file():
            photos.append(_Photo(Path(name), label))
        else:
            raise UsageError(f"{text}: no such photo or folder; give LABEL=PHOTO, or a folder with one per label")
    return photos


def _of_folder(root: Path) -> list[_Photo]:
    from dogid.dataset.labelled_photos import find_photos

    dataset = find_photos(root, min_labels=1)
    each = max(_MOST_PHOTOS // len(dataset.labels), 1)
    found = []
    for number, label in enumerate(dataset.labels):
        of_label = [photo.path for photo in dataset.photos if photo.label == number]
        found += [_Photo(path, label) for path in of_label[:: -(-len(of_label) // each)]]
    return found


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
    from dogid.model.trials import find_better

    labelled = sum(label is not None for label in truth)
    best, better = trials[0], find_better(trials)
    present = next(trial for trial in trials if trial.is_present)
    fits = labelled > 0 and sum(best.hits) > 1.5 * labelled / len(model.labels)
    return {
        "file": str(model.file.path),
        "photos": len(photos),
        "labelled": labelled,
        "present": {"normalisation": present.normalisation, "channels": present.channels, "origin": model.input.origin},
        "fits": {"normalisation": best.normalisation, "channels": best.channels, "flags": best.flags} if fits else None,
        "is_surely_better": better is not None,
        "trials": [_trial(model, photos, trial) for trial in trials],
    }


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
        answers = [f"{one_line(answer['label'])} {answer['score']:.3f}" for answer in shown["answers"]] if few else []
        rows.append([trial.name, right, *answers, "(now)" if trial.is_present else ""])
    names = [one_line(Path(answer["file"]).name) for answer in document["trials"][0]["answers"]] if few else []
    print_table(rows, ["normalisation", "", *names, ""])
    if not labelled:
        print_message("give the right labels, as in LABEL=PHOTO, to find which one fits")
    elif document["fits"] is None:
        print_message("none of them fits: the right labels come about as often as by chance")
    else:
        print_line(_advise(document, trials))


def _advise(document: dict[str, Any], trials: "list[Trial]") -> str:
    best = trials[0]
    if best.is_present:
        return f"{best.name} fits best: nothing to set"
    alike = [trial.name for trial in trials[1:] if trial.hits == best.hits and not trial.is_present]
    same = f" (so do {', '.join(alike[:3])}: more photos show the difference)" if alike else ""
    doubt = "" if document["is_surely_better"] else ", on too few photos to be sure"
    return f"{best.name} fits best{doubt}{same}; set it by {best.flags or 'no flag'}"
