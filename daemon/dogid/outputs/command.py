"""The output `command`: a program of the user's own for each delivery, which it reads on stdin as JSON."""

import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import msgspec

from dogid.file_names import one_line
from dogid.outputs.bounded_process import Outcome, clean_environment, run_bounded
from dogid.outputs.output import Delivery, OutputConfigError, OutputContext, OutputError, RefusedError
from dogid.outputs.table import OutputTable, read_table
from dogid.outputs.thumbnail_file import remove_thumbnails, thumbnail_file

_MEGABYTE = 1_000_000
_LONGEST_REASON = 300  # characters of what it has printed last, in messages


class _Table(OutputTable, frozen=True, kw_only=True):
    command: Annotated[list[str], msgspec.Meta(min_length=1)]
    environment: dict[str, str] = msgspec.field(default_factory=dict)
    thumbnail: bool = False
    timeout: Annotated[float, msgspec.Meta(ge=1, le=600)] = 30.0
    memory: Annotated[int, msgspec.Meta(ge=16)] = 512
    parallel: Annotated[int, msgspec.Meta(ge=1, le=8)] = 1
    all: bool = False


def make_output(table: Mapping[str, Any], context: OutputContext) -> "Command":
    """Return the output that a table of the settings describes. Raise OutputConfigError where it is wrong."""
    chosen = read_table(table, _Table)
    if not chosen.command[0]:
        raise OutputConfigError("command: must begin with the name or path of a program")
    texts = [*chosen.command, *chosen.environment, *chosen.environment.values()]
    if any("\0" in text for text in texts) or any("=" in name or not name for name in chosen.environment):
        raise OutputConfigError("command: no argument or variable can hold a zero byte, nor a variable's name a `=`")
    return Command(chosen, context)


class Command:
    """Runs a program for each delivery: in order, `parallel` of them at a time."""

    batch = 16  # twice the most that run at once, so that a slow one does not keep the others waiting

    def __init__(self, table: _Table, context: OutputContext) -> None:
        self.wants_all = table.all
        self.wants_events = not table.all
        self._table = table
        self._context = context
        self._environment = clean_environment(context.folder) | {"DOGID_OUTPUT": context.name} | table.environment
        self._has_sent = False

    def send(self, deliveries: Sequence[Delivery], acknowledged: Callable[[int], None]) -> None:
        """Run the program for each. Raise OutputError or RefusedError for the first that fails."""
        if not self._has_sent:
            self._context.folder.mkdir(parents=True, exist_ok=True)
            remove_thumbnails(self._context.folder)
            self._has_sent = True
        has_failed = threading.Event()
        # what runs beside one that fails is waited for, and run again later, with the same id
        with ThreadPoolExecutor(self._table.parallel, "output-command") as pool:
            for count, run in enumerate([pool.submit(self._try, one, has_failed) for one in deliveries], 1):
                run.result()
                acknowledged(count)

    def tend(self) -> None:
        """Nothing has to be done between deliveries."""

    def check(self) -> str:
        """Return the program's path. Raise OutputError where there is none that can be run."""
        return f"{self._find_program()} can be run; `dogid outputs test {self._context.name}` runs it"

    def close(self) -> None:
        """Nothing is held."""

    def _try(self, delivery: Delivery, has_failed: threading.Event) -> None:
        """Run the program, but for none after one that has failed."""
        if has_failed.is_set() or self._context.stopping.is_set():
            raise OutputError(f"{self._name}: was not run")
        try:
            self._run(delivery)
        except BaseException:
            has_failed.set()
            raise

    def _run(self, delivery: Delivery) -> None:
        with self._variables(delivery) as variables:
            try:
                outcome = run_bounded(
                    self._table.command,
                    json.dumps(delivery.describe(), ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n",
                    environment=self._environment | variables,
                    folder=self._context.folder,
                    timeout=self._table.timeout,
                    memory=self._table.memory * _MEGABYTE,
                    stopping=self._context.stopping,
                )
            except OSError as error:
                self._find_program()
                raise OutputError(f"{self._name}: cannot be started: {error.strerror or error}") from None
        self._require_success(outcome)

    @contextmanager
    def _variables(self, delivery: Delivery) -> Iterator[dict[str, str]]:
        if not self._table.thumbnail:
            yield {}
            return
        with thumbnail_file(delivery, self._context) as file:
            yield {} if file is None else {"DOGID_THUMBNAIL": str(file)}

    def _require_success(self, outcome: Outcome) -> None:
        """Raise OutputError where the program may work later, RefusedError where it does not take this delivery."""
        if outcome.status == 0:
            return
        if self._context.stopping.is_set():
            raise OutputError(f"{self._name}: was ended, as dogid stops")
        reason = one_line(outcome.last_line[:_LONGEST_REASON])
        said = f": {reason}" if reason else " and has printed nothing"
        if outcome.status is None:
            raise OutputError(f"{self._name}: was ended after {self._table.timeout:g} seconds (timeout){said}")
        if outcome.status == os.EX_TEMPFAIL:
            raise OutputError(f"{self._name}: asks to be run later (exit status {outcome.status}){said}")
        how = f"exit status {outcome.status}" if outcome.status > 0 else f"signal {-outcome.status}"
        raise RefusedError(f"{self._name}: failed ({how}){said}")

    @property
    def _name(self) -> str:
        return one_line(self._table.command[0])

    def _find_program(self) -> Path:
        program = self._table.command[0]
        found = shutil.which(program, path=self._environment["PATH"])
        if found is not None:
            return Path(found)
        if Path(program).exists():
            raise OutputError(f"{self._name}: may not be run by this user; try: chmod a+rx, on its folders too")
        raise OutputError(f"{self._name}: there is no such program, or the service may not see it (home folders)")
