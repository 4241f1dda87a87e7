"""From the settings to outputs that can be started."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dogid.errors import UsageError
from dogid.outputs.configuration import Configuration, OutputEntry, read_configuration
from dogid.outputs.output import Output, OutputConfigError, OutputContext
from dogid.outputs.registry import find_kind
from dogid.outputs.source import OutputSource
from dogid.outputs.thumbnail import ThumbnailMaker
from dogid.settings import Settings

_FOLDER = "outputs"
"""In the state folder: a folder for each output that keeps files of its own."""


class RunnerLink:
    """Joins an output with its runner, which is made later."""

    def __init__(self) -> None:
        self.stopping = threading.Event()
        """Set when the output has to end."""
        self.on_wake: Callable[[], None] = lambda: None
        """Has the output tried at once."""

    def wake(self) -> None:
        """Have the output tried at once."""
        self.on_wake()


@dataclass(frozen=True, slots=True)
class PreparedOutput:
    """An output that is enabled, and not connected yet."""

    entry: OutputEntry
    output: Output
    link: RunnerLink


@dataclass(frozen=True, slots=True)
class PreparedOutputs:
    """All of them, with the rules."""

    configuration: Configuration
    outputs: Sequence[PreparedOutput]


@dataclass(frozen=True, slots=True)
class ContextSource:
    """What contexts of outputs are made of."""

    daemon: OutputSource
    page_url: str
    read_status: Callable[[], Mapping[str, Any]]
    thumbnails: ThumbnailMaker = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "thumbnails", ThumbnailMaker(self.daemon))

    def make_context(self, name: str, daemon_name: str, link: RunnerLink) -> OutputContext:
        """Return the context of the output of a name."""
        return OutputContext(
            name=name,
            daemon_name=daemon_name,
            folder=self.daemon.state / _FOLDER / name,
            inbox=self.daemon.inbox,
            page_url=self.page_url,
            read_status=self.read_status,
            read_health=self.daemon.read_health,
            reader=self.daemon.reader,
            list_labels=self.daemon.list_labels,
            make_thumbnail=self.thumbnails.make,
            stopping=link.stopping,
            wake=link.wake,
        )


def prepare_outputs(settings: Settings, source: ContextSource) -> PreparedOutputs:
    """Check all tables and make the outputs that are enabled, without connecting. Raise UsageError."""
    configuration = read_configuration(settings)
    made = list[PreparedOutput]()
    try:
        for entry in configuration.outputs:
            if entry.enabled:
                made.append(prepare_output(entry, settings, source))
        _check_targets(configuration, made)
    except UsageError:
        for prepared in made:
            prepared.output.close()
        raise
    return PreparedOutputs(configuration, made)


def prepare_output(entry: OutputEntry, settings: Settings, source: ContextSource) -> PreparedOutput:
    """Make an output of its table. Raise UsageError with the dotted key."""
    link = RunnerLink()
    try:
        make = find_kind(entry.type)
        output = make(entry.values, source.make_context(entry.name, settings.daemon_name, link))
    except OutputConfigError as error:
        raise UsageError(f"outputs.{entry.name}.{error}") from error
    except Exception as error:  # of the kind's own code
        reason = f"{type(error).__name__}: {error}"
        raise UsageError(f"outputs.{entry.name}: {entry.type} cannot be set up: {reason}") from error
    return PreparedOutput(entry, output, link)


def _check_targets(configuration: Configuration, made: Sequence[PreparedOutput]) -> None:
    """Raise UsageError where a rule names an output that takes no events."""
    without = {prepared.entry.name for prepared in made if not prepared.output.wants_events}
    for number, rule in enumerate(configuration.rules, 1):
        for name in rule.to:
            if name in without:
                raise UsageError(
                    f"rule.{number}.to: the output {name!r} takes every result, and no events of rules; set `all ="
                    f" false` in [outputs.{name}] for events alone, or take {name!r} out of `to`"
                )
