"""The outputs on the page of the status: whether each gets through, what waits, and what to do where it does not."""

from dataclasses import dataclass

from dogid.outputs.keeper import OutputKeeper
from dogid.outputs.states import State
from dogid.quantities import count_of
from dogid.web.pages.formatting import visible


@dataclass(frozen=True, slots=True)
class ShownOutput:
    """One output."""

    name: str
    kind: str
    value: str
    """Working, Problem, Refused or Off."""
    level: str
    """`good`, `bad`, or `plain`."""
    reason: str
    """What is wrong; empty where nothing is."""
    remedy: str
    """What to do about it, or that nothing need be done; empty where nothing is wrong."""
    since: str | None
    """Since when it is wrong; ISO 8601."""
    sent: str
    """How much was sent, and how much waits, in words."""
    last_sent: str | None
    """ISO 8601."""
    parked: str
    """How much it refused, in words; empty where nothing."""


def list_outputs(outputs: OutputKeeper) -> list[ShownOutput]:
    """Return the outputs as the page shows them, in the order of the settings."""
    return [_describe(state) for state in outputs.states()]


def _describe(state: State) -> ShownOutput:
    error, refusal, name = state["error"], state["refusal"], state["name"]
    value, level, reason, remedy, since = "Working", "good", "", "", None
    if not state["enabled"]:
        value, level, remedy = "Off", "plain", f"It has enabled = false in [outputs.{name}] of the settings."
    elif error is not None:
        value, level, reason, since = "Problem", "bad", error["message"], error["since"]
        remedy = f"It is tried again by itself. To try at once: dogid outputs test {name}"
    elif refusal is not None:
        value, level, reason, since = "Refused", "bad", refusal["reason"], refusal["at"]
        remedy = "Send them again once the other side takes them, after a change, or discard them."
    waiting = f", {state['backlog']:,} waiting" if state["backlog"] else ""
    return ShownOutput(
        name=name,
        kind=visible(state["type"]),
        value=value,
        level=level,
        reason=visible(reason),
        remedy=visible(remedy),
        since=since,
        sent=f"{state['sent']:,} sent{waiting}",
        last_sent=state["last_sent_at"],
        parked=count_of(state["parked"], "refused delivery", "refused deliveries") if state["parked"] else "",
    )
