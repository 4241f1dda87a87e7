"""Fixtures for tests of outputs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.outputs.support import OutputRig, Recorder


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[OutputRig]:
    """A ledger, an inbox and a state folder, on which outputs can be started."""
    made = OutputRig(tmp_path)
    yield made
    made.close()


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """A kind of output that keeps what it is sent."""
    made = Recorder()
    made.register(monkeypatch)
    return made
