"""`dogid replay`: stored photos answered by another model; what would change, or, with --apply, changes."""

import argparse
import contextlib
import hashlib
import json
import sqlite3
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from dogid import settings
from dogid.commands import reading_state
from dogid.commands.output import print_json, print_line, print_message, print_table
from dogid.conditions import LEDGER_DAMAGED
from dogid.errors import ConflictError, DogidError, UsageError
from dogid.file_names import one_line

if TYPE_CHECKING:
    from pathlib import Path

    from dogid.model.classifier import Model
    from dogid.replay.replay import Report
    from dogid.shelf.open_model import FoundModel, OpenedModel

_MOST_CHANGES = 20  # that are printed; --json has all
_FLAGS = (*settings.MODEL_SETTINGS, *settings.DECODING_SETTINGS, "learning")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --apply, the flags of the model, of decoding and of `reading_state`."""
    parser.add_argument(
        "--apply", action="store_true", help="make the new answers current; those before stay in the histories"
    )
    reading_state.add_arguments(parser, _FLAGS)


def run(args: argparse.Namespace) -> int:
    """Print what another model answers to photos in the inbox. Exit 1 where some could not be read or decoded."""
    from dogid.ledger.damage import is_damage
    from dogid.replay.answer_store import replaying_alone
    from dogid.replay.photo_answerer import Skipped
    from dogid.shelf.open_model import choose_model
    from dogid.system.owner import acting_as_owner

    chosen = settings.load(args)
    state = chosen.state.absolute()
    reading_state.open_state(args).close()  # explains what is missing
    with acting_as_owner(state):  # what is made there shall be the daemon's
        opened = choose_model(chosen, embeddings=chosen.learns)
        if opened.found.problem is not None:
            print_message(opened.found.problem)
        try:
            with replaying_alone(state):
                report = _replay(args, chosen, opened)
        except sqlite3.DatabaseError as error:
            if is_damage(error):
                raise DogidError(f"{state}: {LEDGER_DAMAGED}") from error
            raise DogidError(f"{state}: cannot be written: {error}; what was done stays, run it again") from error
    if args.json:
        model = {"name": opened.model.file.name, "sha256": opened.model.file.sha256}
        print_json({"model": model, "applied": args.apply, **report.document()})
    else:
        _print(report, opened.model, is_applied=args.apply)
    return int(report.skipped[Skipped.FAILED] > 0)


def _replay(args: argparse.Namespace, chosen: settings.Settings, opened: "OpenedModel") -> "Report":
    from dogid.clock import Clock
    from dogid.decoding.byte_budget import ByteBudget, choose_capacity
    from dogid.decoding.decoder import Decoder
    from dogid.ledger.replays import count_older_answers
    from dogid.photo.decode import limit_pixels
    from dogid.replay.answer_store import AnswerStore
    from dogid.replay.photo_answerer import PhotoAnswerer
    from dogid.replay.replay import Applier, LedgerApplier, Report, replay

    limit_pixels(chosen.max_pixels)
    model = opened.model
    inbox, state = chosen.inbox.absolute(), chosen.state.absolute()
    if not inbox.is_dir():
        raise UsageError(f"{inbox}: the inbox is missing; is a disk not mounted?")
    with contextlib.ExitStack() as stack:
        db = stack.enter_context(contextlib.closing(reading_state.open_state(args)))
        report = Report(count_older_answers(db, model.file.sha256))
        if report.photos == 0:
            return report
        made_by = json.dumps([model.file.sha256, model.input.describe(), model.labels])  # all that answers depend on
        store = AnswerStore(state, hashlib.sha256(made_by.encode()).hexdigest())
        stack.callback(store.close)
        decoder = Decoder(ByteBudget(choose_capacity(chosen.memory)), chosen.max_pixels, chosen.decode_timeout)
        stack.callback(decoder.close)
        answerer = PhotoAnswerer(inbox, chosen.max_bytes, model, decoder, store)
        stack.callback(answerer.close)
        applier = Applier()
        if args.apply:
            applier = LedgerApplier(state, model, Clock(), lambda: _require_active(state, opened.found))
            stack.callback(applier.close)
        with _show_progress(report.photos) as on_photo:
            replay(db, model, answerer, report, on_photo, applier)
        if args.apply:
            stack.callback(store.remove)
    return report


def _require_active(state: "Path", found: "FoundModel") -> None:
    """Raise ConflictError where another model than found has become active; one that the settings name stays."""
    from dogid.shelf.open_model import Origin
    from dogid.shelf.pointer import read_pointer

    if found.origin is not Origin.SET and found.problem is None and read_pointer(state).active != found.entry:
        raise ConflictError("another model has become active: what was done stays; run it again for the new one")


@contextlib.contextmanager
def _show_progress(photos: int) -> "Iterator[Callable[[], None]]":
    """Show a bar on stderr while the context lasts, if that is a terminal; yield what is called after each photo."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import Progress

    try:
        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("answering photos again", total=photos)
            yield lambda: bar.advance(task)
    except KeyboardInterrupt:
        print_message("stopped; the same command goes on from here")
        raise


def _print(report: "Report", model: "Model", *, is_applied: bool) -> None:
    document = report.document()
    if report.photos == 0:
        print_line(f"no photo in the inbox has the answer of another model than {model.file.name}")
        return
    rows = [
        (one_line(label), str(counts["before"]), str(counts["now"])) for label, counts in document["labels"].items()
    ]
    print_table(rows, ("label", "before", "now"))
    for change in document["changes"][:_MOST_CHANGES]:
        print_line(f"{one_line(change['from'])} -> {one_line(change['to'])}: {change['count']}")
        for example in change["examples"]:
            scores = f"{example['score_before']:.3f} -> {example['score_now']:.3f}"
            print_line(f"    {one_line(example['file'])}  {scores}")
    if len(document["changes"]) > _MOST_CHANGES:
        print_line(f"and {len(document['changes']) - _MOST_CHANGES} other changes: --json")
    verb = "get" if is_applied else "would get"
    print_line(f"{report.changed} of {report.answered} photos {verb} another label by {model.file.name}")
    if report.reviewed:
        print_line(
            f"{report.reviewed} of them have a person's label, which stays: {report.agreed_before} agreed with it"
            f" before, {report.agreed_now} now"
        )
    if is_applied:
        print_line(f"{report.replaced} answers are current now; those before are in the histories (dogid why FILE)")
    elif report.answered:
        print_line("to have these answers in place of the present ones, run it again with --apply")
    skipped = ", ".join(f"{count} {reason}" for reason, count in document["skipped"].items() if count)
    if skipped:
        print_line(f"left as they are: {skipped}")
