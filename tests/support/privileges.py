"""Running a daemon with the rights of an ordinary user, also where the tests run as root."""

import os
import shutil

import pytest

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can do this")


def without_override() -> list[str]:
    """Return a command that starts ours so that the modes of files hold for it, as they do not for root."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("needs setpriv (apt install util-linux)")
    capabilities = "-dac_override,-dac_read_search"
    return ["setpriv", "--bounding-set", capabilities, "--inh-caps", capabilities]
