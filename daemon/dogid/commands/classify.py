"""`dogid classify`: classify photos and folders once, without a daemon."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from dogid import settings
from dogid.commands.output import print_json, print_line, print_message
from dogid.errors import PhotoCode, PhotoError, UsageError
from dogid.file_names import one_line
from dogid.result_document import Result, result_document

if TYPE_CHECKING:
    from collections.abc import Callable

    from dogid.decoding.decoder import Decoder
    from dogid.model.classifier import Classifier, Model
    from dogid.photo.pixels import DecodedPhoto

_SETTINGS = (*settings.MODEL_SETTINGS, "max_bytes", "max_pixels", "memory", "decode_timeout", "workers")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add PATH..., --top, --json, and the settings that affect a single photo."""
    parser.add_argument("paths", nargs="+", metavar="PATH", help="photos and folders of photos")
    parser.add_argument("--top", type=int, default=1, metavar="K", help="number of labels to show (default: 1)")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    settings.add_flags(parser, _SETTINGS)


def run(args: argparse.Namespace) -> int:
    """Print each photo's result in the order of the arguments; return 1 if a photo failed."""
    import contextlib
    from concurrent.futures import ThreadPoolExecutor

    from dogid.decoding.byte_budget import ByteBudget, choose_capacity
    from dogid.decoding.decoder import Decoder
    from dogid.photo.decode import limit_pixels
    from dogid.shelf.open_model import open_model

    if args.top < 1:
        raise UsageError("--top must be at least 1")
    chosen = settings.load(args)
    limit_pixels(chosen.max_pixels)
    model = open_model(chosen)
    print_message(f"{model.file.name} is fed {model.input.describe()}")
    for warning in model.warnings:
        print_message(f"warning: {warning}")
    decoder = Decoder(ByteBudget(choose_capacity(chosen.memory)), chosen.max_pixels, chosen.decode_timeout)
    files = _FileClassifier(model, decoder, chosen, args.top)
    unreadable: list[str] = []
    with contextlib.closing(decoder), ThreadPoolExecutor(chosen.workers or None) as pool:
        results_in_order = pool.map(files.classify, _list_files(args.paths, unreadable))
        results = []
        for result in results_in_order:
            results.append(result)
            if not args.json:
                _print_line(result, args.top)
    if args.json:
        print_json({"results": results})
    for line in unreadable:
        print_message(one_line(line))
    return int(bool(unreadable) or any(result["status"] == "failed" for result in results))


class _FileClassifier:
    """Classifies files on several threads, each with an interpreter of its own."""

    def __init__(self, model: "Model", decoder: "Decoder", chosen: settings.Settings, top: int) -> None:
        import threading

        self._model = model
        self._decoder = decoder
        self._max_bytes = chosen.max_bytes
        self._thresholds = chosen.thresholds
        self._top = max(top, 5)
        self._local = threading.local()

    def classify(self, path: Path) -> Result:
        """Return RESULT for one file; `file` is the path as it was given."""
        import hashlib
        import time

        from dogid.clock import Clock, parse_moment
        from dogid.file_names import shown_name
        from dogid.model.classify_photo import classify_photo, elapsed_ms

        file, model = shown_name(bytes(path)), self._model.file.name
        try:
            classifier = self._get_classifier()
            with self._decoder.budget.file_turn(_size(path)):
                started = time.perf_counter()
                data, mtime_ns = _read(path, self._max_bytes)
                photo = classify_photo(data, classifier, self._decode)
                total_ms = elapsed_ms(started)
        except PhotoError as error:
            return result_document(
                number=None,
                file=file,
                status="failed",
                scores={},
                classified_ms=Clock().wall_ms(),
                model=model,
                error_code=str(error.code),
                error_message=error.message,
            )
        return result_document(
            number=None,
            file=file,
            status="classified",
            scores=photo.best(self._top),
            sha256=hashlib.sha256(data).hexdigest(),
            width=photo.width,
            height=photo.height,
            modified_ms=mtime_ns // 1_000_000,
            taken_ms=None if photo.taken_at is None else parse_moment(photo.taken_at),
            classified_ms=Clock().wall_ms(),
            model=model,
            decode_ms=photo.decode_ms,
            invoke_ms=photo.invoke_ms,
            total_ms=total_ms,
            thresholds=self._thresholds,
        )

    def _decode(self, data: bytes, size: tuple[int, int], on_start: "Callable[[], None]") -> "DecodedPhoto":
        try:
            return self._decoder.decode(data, size, on_start)
        except OSError as error:  # no memory for it now
            raise PhotoError(PhotoCode.UNREADABLE, str(error.strerror)) from error

    def _get_classifier(self) -> "Classifier":
        """Return this thread's classifier."""
        if not hasattr(self._local, "classifier"):
            self._local.classifier = self._model.classifier()
        classifier: Classifier = self._local.classifier
        return classifier


def _list_files(paths: list[str], unreadable: list[str]) -> Iterator[Path]:
    """Yield the files given, and those in the folders given, sorted; append unreadable folders to unreadable."""
    import os

    from dogid.file_names import shown_name
    from dogid.inbox.scan import ScanErrors, scan

    for text in paths:
        path = Path(text)
        if path.is_dir():
            errors = ScanErrors({})
            try:
                found = sorted(file.path for file in scan(path, errors))
            except OSError as error:
                raise UsageError(f"{path}: cannot read the folder: {error.strerror}") from error
            unreadable += [f"{path}/{shown_name(name)}: {reason}" for name, reason in errors.folders.items()]
            yield from (path / os.fsdecode(name) for name in found)
        else:
            yield path


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except (OSError, ValueError):  # reading it finds the same
        return 0


def _read(path: Path, max_bytes: int) -> tuple[bytes, int]:
    """Return a file's bytes and its modification time in ns. Raise PhotoError."""
    import os
    import stat

    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise PhotoError(PhotoCode.VANISHED, "there is no such file") from error
    except (OSError, ValueError) as error:
        raise PhotoError(PhotoCode.UNREADABLE, f"the file cannot be read: {error}") from error
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise PhotoError(PhotoCode.UNSUPPORTED, "not a regular file")
        if status.st_size > max_bytes:
            raise PhotoError(PhotoCode.TOO_LARGE, f"{status.st_size} bytes; at most {max_bytes} are read (--max-bytes)")
        try:
            return file.read(), status.st_mtime_ns
        except OSError as error:
            raise PhotoError(PhotoCode.UNREADABLE, f"the file cannot be read: {error.strerror}") from error


def _print_line(result: Result, top: int) -> None:
    file = one_line(result["file"])
    if result["error"]:
        print_line(f"{file}: failed, {result['error']['code']}: {one_line(result['error']['message'])}")
        return
    shown = list(result["scores"].items())[:top]
    note = " (unsure)" if result["unsure"] else ""
    print_line(f"{file}: " + ", ".join(f"{one_line(label)} {score:.3f}" for label, score in shown) + note)
