"""Opening what the daemon uses: the state folder with its ledger, the inbox, and the model to begin with."""

import contextlib
import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from dogid.clock import Clock
from dogid.daemon.folders import (
    LOCK_FILE,
    claim_state_path,
    lock_state,
    prepare_inbox,
    prepare_state,
    remove_new_state,
)
from dogid.daemon.unfinished_restore import finish_restore
from dogid.daemon.wait_clock import WaitClock
from dogid.errors import DogidError, UsageError
from dogid.inbox.mounts import file_system_type, has_stable_inodes
from dogid.inbox.scan import FoundFile, find_file
from dogid.ledger.ledger import Ledger
from dogid.ledger.ledger_files import LedgerFiles
from dogid.pipeline.in_progress import InProgress
from dogid.settings import Settings
from dogid.shelf.open_model import OpenedModel, choose_model
from dogid.system.sd_notify import Notifier


@dataclass(frozen=True, slots=True)
class Opened:
    """What the daemon holds until it closes it; no other daemon can use the state folder meanwhile."""

    inbox: Path
    """Absolute."""
    state: Path
    """Absolute path of the state folder."""
    ledger: Ledger
    ledger_files: LedgerFiles
    in_progress: InProgress
    model: OpenedModel
    inbox_wait: WaitClock
    """Runs while a thread waits for the inbox."""
    ledger_wait: WaitClock
    """Runs while a thread waits for the ledger."""
    _lock: int
    _claim: int | None

    def close(self) -> None:
        """Close the ledger, and leave the state folder to others; no photo is in progress any more."""
        self.in_progress.clear()
        self.ledger.close()
        if self._claim is not None:
            os.close(self._claim)
        os.close(self._lock)


def open_all(settings: Settings, clock: Clock, notifier: Notifier) -> Opened:
    """Lock and open the folders that the settings name, and load the model.

    A restore that was interrupted is finished before; notifier has systemd wait while the ledger is opened. Raise
    UsageError where a folder or file cannot be used, or another daemon uses the state folder; DogidError where the
    model fails its self-test, or the ledger cannot be written.
    """
    finish_restore(settings.state)  # the model may lie in the state folder
    had_state = settings.state.exists()
    state = prepare_state(settings.state, settings.inbox.absolute())
    with contextlib.ExitStack() as undo:
        lock = lock_state(state)
        undo.callback(os.close, lock)
        try:
            # once it is certain that no other process has the state folder, and changes which model is active
            model = choose_model(settings, embeddings=settings.learns)
            inbox = prepare_inbox(settings.inbox)
        except UsageError:
            if not had_state:
                remove_new_state(state)  # the inbox was probably misspelt, and the folder is of no use
            raise
        inbox_wait = WaitClock()
        ledger, in_progress = _open_ledger(settings, inbox, state, clock, notifier, inbox_wait)
        undo.pop_all()
    return Opened(
        inbox,
        state,
        ledger,
        LedgerFiles(state, (LOCK_FILE,)),
        in_progress,
        model,
        inbox_wait,
        WaitClock(),
        lock,
        claim_state_path(state),  # a restore looks for it
    )


def _open_ledger(
    settings: Settings, inbox: Path, state: Path, clock: Clock, notifier: Notifier, inbox_wait: WaitClock
) -> tuple[Ledger, InProgress]:
    def find(path: bytes) -> FoundFile | None:
        with inbox_wait:
            return find_file(inbox, path)

    try:
        with notifier.extend_start_timeout("opening the ledger"):
            ledger = Ledger(
                state,
                find,
                clock,
                stable_inodes=has_stable_inodes(file_system_type(inbox)),
                keep_versions=settings.keep_versions,
            )
            return ledger, InProgress(state)
    except (sqlite3.OperationalError, OSError) as error:
        # not wrong usage: a service manager should try again, since room may come back
        raise DogidError(
            f"{state}: the ledger cannot be written: {error}; is the disk full, or the folder another user's?"
        ) from error
