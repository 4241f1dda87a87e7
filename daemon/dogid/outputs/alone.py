"""Outputs without a running daemon, for commands that try them."""

import contextlib
import time
from collections.abc import Iterator, Sequence

from dogid.clock import Clock
from dogid.decoding.byte_budget import ByteBudget, choose_capacity
from dogid.decoding.decoder import Decoder
from dogid.ledger.known_labels import list_known_labels
from dogid.ledger.readers import Readers
from dogid.outputs.configuration import OutputEntry
from dogid.outputs.preparation import ContextSource, PreparedOutput, PreparedOutputs, prepare_output, prepare_outputs
from dogid.outputs.source import OutputSource
from dogid.outputs.trial_messages import TestOutcome, make_test_delivery, send_test
from dogid.settings import Settings
from dogid.status import NOT_CHECKED, Health


class _NoChanges:
    """The signal of changes of a ledger that no daemon writes."""

    number = 0
    closed = True

    def announce(self) -> None:
        """Return at once: no thread waits."""

    def wait_for_change(self, known: int, timeout: float) -> int:
        """Wait; nothing comes."""
        time.sleep(timeout)
        return known


@contextlib.contextmanager
def output_alone(entry: OutputEntry, settings: Settings) -> Iterator[PreparedOutput]:
    """Make an output without a daemon, and close it at the end. Raise UsageError."""
    prepared = prepare_output(entry, settings, _make_source(settings))
    try:
        yield prepared
    finally:
        prepared.output.close()


def prepare_alone(settings: Settings) -> PreparedOutputs:
    """Check tables and rules as the daemon does at its start; the outputs are closed. Raise UsageError."""
    prepared = prepare_outputs(settings, _make_source(settings))
    for each in prepared.outputs:
        each.output.close()
    return prepared


def send_test_alone(entry: OutputEntry, settings: Settings) -> TestOutcome:
    """Send a test message without a daemon. Raise UsageError where the output's table is wrong."""
    with output_alone(entry, settings) as prepared:
        delivery = make_test_delivery(None, (), Clock(), wants_events=prepared.output.wants_events)
        return send_test(prepared.output, delivery)


def check_alone(entry: OutputEntry, settings: Settings) -> str:
    """Try the other side of an output; return what was found. Raise UsageError, OutputError."""
    with output_alone(entry, settings) as prepared:
        return prepared.output.check()


def _make_source(settings: Settings) -> ContextSource:
    state = settings.state.absolute()
    readers = Readers(state, lambda: None, lambda: settings.thresholds)

    def list_labels() -> Sequence[str]:
        return list_known_labels(readers.connection())

    budget = ByteBudget(choose_capacity(settings.memory))
    source = OutputSource(
        state=state,
        inbox=settings.inbox.absolute(),
        clock=Clock(),
        decoder=Decoder(budget, settings.max_pixels, settings.decode_timeout),
        signal=_NoChanges(),
        reader=readers.connection,
        list_labels=list_labels,
        read_health=lambda: Health(ok=False, reason=NOT_CHECKED, checked_at=0.0),
        max_bytes=lambda: settings.max_bytes,
        track_decoding=contextlib.nullcontext,
    )
    return ContextSource(source, f"http://{settings.host}:{settings.port}/", dict)
