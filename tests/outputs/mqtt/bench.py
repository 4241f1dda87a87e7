"""Outputs to a broker, run by the test's own thread, on the ledger of a test."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dogid.outputs.mqtt.output import MqttOutput, make_output
from dogid.outputs.output import Delivery, OutputContext, OutputError
from dogid.status import Health
from tests.ledger.ledger_folder import Inbox
from tests.support.waiting import eventually

JPEG = b"\xff\xd8 a thumbnail \xff\xd9"


class Bench:
    """What an output needs of a daemon, to be changed by the test."""

    def __init__(self, inbox: Inbox, folder: Path) -> None:
        self.inbox = inbox
        self.folder = folder
        self.labels = ["cat", "dog"]
        self.health = Health(ok=True, reason="all right", checked_at=0)
        self._outputs: list[MqttOutput] = []

    def make(self, url: str, name: str = "barn", **table: Any) -> MqttOutput:
        """Return an output; its table has what is given."""
        made = make_output({"type": "mqtt", "url": url, **table}, self.context(name))
        self._outputs.append(made)
        return made

    def context(self, name: str) -> OutputContext:
        return OutputContext(
            name="home",
            daemon_name=name,
            folder=self.folder,
            inbox=self.inbox.folder,
            page_url="http://127.0.0.1:8000/",
            read_status=lambda: {
                "counts": {"classified": 1, "failed": 0, "pending": 0},
                "model": {"name": "m.tflite"},
                "watcher": {"trouble": None},
            },
            read_health=lambda: self.health,
            reader=lambda: self.inbox.db,
            list_labels=lambda: self.labels,
            make_thumbnail=lambda _: JPEG,
        )

    def close(self) -> None:
        for output in self._outputs:
            output.close()


def deliveries(first: int, end: int, kind: str = "result", label: str | None = "cat", **more: Any) -> list[Delivery]:
    """Return deliveries with numbers of first <= seq < end."""
    now = round(time.time() * 1000)
    document = {"label": label, "score": 0.9, "status": "classified"}
    made = {"kind": kind, "at_ms": now, **more}
    return [Delivery(id=f"s-{seq}", seq=seq, result={"id": seq, **document}, **made) for seq in range(first, end)]


def send_all(output: MqttOutput, waiting: Sequence[Delivery]) -> int:
    """Have deliveries sent as the daemon does: after a fault what was not acknowledged, again; return the faults."""
    faults = acknowledged = started = 0

    def note(number: int) -> None:
        nonlocal acknowledged
        assert number >= 1
        acknowledged = started + number

    def step() -> bool:
        nonlocal faults, started
        started = acknowledged
        try:
            output.send(waiting[started : started + output.batch], note)
        except OutputError:
            faults += 1
        return acknowledged == len(waiting)

    eventually(step, lambda: f"all are sent; acknowledged are {acknowledged}")
    return faults
