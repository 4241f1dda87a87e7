"""A certificate for servers on this machine, which is its own authority."""

import shutil
import subprocess
from pathlib import Path

import pytest

NEEDS_OPENSSL = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl (apt install openssl)")


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Return the file of a certificate for `localhost`, and one that has its key, too."""
    certificate, key, both = (folder / f"{name}.pem" for name in ("certificate", "key", "both"))
    request = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2"]
    subprocess.run([*request, "-keyout", str(key), "-out", str(certificate), *names], check=True, capture_output=True)
    both.write_bytes(certificate.read_bytes() + key.read_bytes())
    return certificate, both
