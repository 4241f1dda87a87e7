"""A ledger with all kinds of results, read by all tests of exports."""

from collections.abc import Iterator

import pytest

from tests.exporting.answered_ledger import fill
from tests.ledger.ledger_folder import Inbox


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inbox]:
    made = Inbox(tmp_path_factory.mktemp("answered"))
    fill(made)
    yield made
    made.close()
