"""An inbox with a ledger, for the tests of sorted folders."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ledger.ledger_folder import Inbox


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    made = Inbox(tmp_path)
    yield made
    made.close()
