"""`dogid batch` for the tests of archives."""

import pytest

from tests.archive.archives import Batch


@pytest.fixture
def batch(capsys: pytest.CaptureFixture[str]) -> Batch:
    """Run `dogid batch` in this process."""
    return Batch(capsys)
