"""Changing which model on the shelf is active while the daemon runs: proved by every worker, then noted, then used.

Killed at any point, the next start finds the former model active or the new one, and its file whole.
"""

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from dogid.clock import Clock, iso_utc
from dogid.conditions import model_is_set
from dogid.errors import ConflictError, DogidError, UsageError
from dogid.model.shipped import shipped_model
from dogid.settings import Settings
from dogid.shelf.folder import explain_damage, find_on_shelf, hash_file
from dogid.shelf.open_model import (
    OpenedModel,
    UnknownModelError,
    explain_unknown_model,
    explain_unusable,
    find_model,
    open_activated,
)
from dogid.shelf.pointer import DamagedPointerError, Entry, Pointer, read_pointer, write_pointer

if TYPE_CHECKING:
    from dogid.shelf.requests import Request

log = logging.getLogger(__name__)

_BUSY_SECONDS = 5.0  # that an activation waits for another one; longer keeps a thread of the server waiting

Adopt = Callable[[OpenedModel, Callable[[], None]], None]
"""Has every worker prove a model, calls the second argument, and switches to the model. Raise DogidError."""


class ModelSwitch:
    """Activates models and goes back, one at a time."""

    def __init__(self, state: Path, clock: Clock, settings: Callable[[], Settings], adopt: Adopt) -> None:
        """Set up for a state folder, which the caller has locked; settings returns those in use."""
        self._state = state
        self._clock = clock
        self._settings = settings
        self._adopt = adopt
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Let nothing else change the model while the context lasts."""
        with self._lock:
            yield

    def activate(self, name: str, parent: str | None = None) -> None:
        """Have the model of this name on the shelf, or the shipped one, be the active one.

        parent: the SHA-256 that the active model must have, in hex; None for any. Raise ConflictError where it has not,
        UnknownModelError, ConflictError where the settings name the model, DogidError where it cannot run.
        """
        path = find_on_shelf(self._state, name)
        shipped = shipped_model()
        if path is None and name not in (shipped.name, shipped.stem):
            raise UnknownModelError(explain_unknown_model(self._state, name))
        try:
            entry = None if path is None else Entry(path.name, hash_file(path), iso_utc(self._clock.wall_ms()))
        except OSError as error:
            raise DogidError(f"{path}: cannot read the model: {error.strerror or error}") from error
        if path is not None and entry is not None and (damage := explain_damage(path, entry.sha256)) is not None:
            raise UsageError(f"{path}: {damage}")  # before it is loaded: the interpreter may crash on it
        self._change(lambda pointer: pointer.activate(entry), parent)

    def roll_back(self) -> None:
        """Have the model before the active one be active again. Raise as `activate`."""
        self._change(self._roll_back)

    def change(self, name: str | None, parent: str | None = None) -> None:
        """Activate a model by its name; roll back where that is None. parent and what is raised: as for `activate`."""
        if name is None:
            self.roll_back()
        else:
            self.activate(name, parent)

    def answer_requests(self) -> bool:
        """Do what commands have asked for, and let them know the outcomes; return whether any has asked."""
        from dogid.shelf.requests import take_requests  # most daemons never change their model

        requests = take_requests(self._state)  # one signal may stand for several
        for request in requests:
            self._answer(request)
        return bool(requests)

    def _answer(self, request: "Request") -> None:
        from dogid.shelf.requests import Outcome, record_outcome

        refusal, is_usage_error = None, False
        try:
            self.change(request.model, request.parent)
        except DogidError as error:
            refusal, is_usage_error = str(error), isinstance(error, UsageError)
            # a needless request is the business of who made it, and harms nothing
            level = logging.INFO if isinstance(error, ConflictError) else logging.ERROR
            log.log(level, "the model was not changed: %s", error)
        try:
            record_outcome(self._state, Outcome(request.id, refusal, is_usage_error))
        except OSError as error:
            log.warning("cannot write the outcome of a change of the model: %s", error)

    def _change(self, change: Callable[[Pointer], Pointer], parent: str | None = None) -> None:
        from dogid.shelf.prune import changing_shelf  # most daemons never change their model

        if not self._lock.acquire(timeout=_BUSY_SECONDS):
            raise ConflictError("another model is being tried; wait for its outcome, and try again")
        try:
            with changing_shelf(self._state):
                self._change_alone(change, parent)
        finally:
            self._lock.release()

    def _change_alone(self, change: Callable[[Pointer], Pointer], parent: str | None) -> None:
        from dogid.shelf.prune import remove_old_models

        settings = self._settings()
        if settings.model is not None:
            raise ConflictError(model_is_set(settings.model))
        if parent is not None and not _is_active(settings, parent):
            raise ConflictError("another model is active than the one that this was learned from; learn again")
        before = read_or_begin(self._state)
        after = change(before)
        opened = open_activated(settings, after.active, embeddings=settings.learns)
        self._commit(opened, before, after)
        for name in remove_old_models(self._state, after):
            log.info("removed %s from the shelf, where newer models are", name)

    def _roll_back(self, pointer: Pointer) -> Pointer:
        """Return the pointer with the newest model before active that is still what it was; the shipped one ends them.

        Raise ConflictError where there is none before.
        """
        if not pointer.can_roll_back:
            raise ConflictError(NOTHING_BEFORE)
        after = pointer.roll_back()
        while after.active is not None:
            problem = explain_unusable(self._settings(), after.active)
            if problem is None:
                break
            log.warning("the rollback goes one further back: %s", problem)
            after = after.roll_back()
        return after

    def _commit(self, opened: OpenedModel, before: Pointer, after: Pointer) -> None:
        written = False

        def write() -> None:
            nonlocal written
            try:
                write_pointer(self._state, after)
            except OSError as error:
                raise DogidError(f"{self._state}: the active model cannot be noted: {error.strerror}") from error
            written = True

        try:
            self._adopt(opened, write)
        except BaseException:
            if written:
                write_pointer(self._state, before)
            raise


def read_or_begin(state: Path) -> Pointer:
    """Return which model is active; that none was activated, where the note of it is damaged."""
    try:
        return read_pointer(state)
    except DamagedPointerError as error:
        log.warning("%s; it is replaced", error)
        return Pointer()


def _is_active(settings: Settings, sha256: str) -> bool:
    try:
        return hash_file(find_model(settings).path) == sha256
    except OSError:
        return False


NOTHING_BEFORE = "the shipped model is active, and no other was before it: there is nothing to go back to"
"""Why there is no rollback."""
