"""Fixtures for the tests of the ledger."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ledger.ledger_folder import Inbox


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    """An empty inbox and its ledger."""
    made = Inbox(tmp_path)
    yield made
    made.close()
