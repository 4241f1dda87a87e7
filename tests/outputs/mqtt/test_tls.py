"""Brokers that speak TLS, with certificates that fit and others."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dogid.outputs.output import OutputConfigError, OutputError
from tests.outputs.mqtt.bench import Bench
from tests.outputs.mqtt.mosquitto import Mosquitto

pytestmark = pytest.mark.filterwarnings("ignore:unclosed <ssl:ResourceWarning")  # paho, where a handshake fails
_PEM = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ca.pem, another authority other.pem, and server.pem and client.pem of the first, with .key each."""
    folder = tmp_path_factory.mktemp("pki")
    for authority in ("ca", "other"):
        _openssl(folder, "req", "-x509", *_PEM, "-keyout", f"{authority}.key", "-out", f"{authority}.pem",
                 "-subj", f"/CN={authority}")  # fmt: skip
    for name in ("server", "client"):
        _openssl(folder, "req", *_PEM, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        (folder / "names").write_text("subjectAltName=DNS:localhost")
        _openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                 "-out", f"{name}.pem", "-days", "2", "-extfile", "names")  # fmt: skip
    return folder


def _openssl(folder: Path, *args: str) -> None:
    subprocess.run(["openssl", *args], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def tls_broker(pki: Path) -> Iterator[Mosquitto]:
    """A broker that speaks TLS and asks for a client's certificate."""
    lines = [f"cafile {pki}/ca.pem", f"certfile {pki}/server.pem", f"keyfile {pki}/server.key"]
    made = Mosquitto(pki / "broker", *lines, "require_certificate true", "allow_anonymous true").start()
    yield made
    made.kill()


def test_own_authority_and_own_certificate_are_accepted(tls_broker: Mosquitto, bench: Bench, pki: Path) -> None:
    files = {name: str(pki / file) for name, file in _OWN.items()}
    output = bench.make(f"mqtts://localhost:{tls_broker.port}", **files)
    assert "accepts the connection by TLS" in output.check()


_OWN = {"ca_file": "ca.pem", "cert_file": "client.pem", "key_file": "client.key"}
_STRANGER = {"ca_file": "ca.pem", "cert_file": "other.pem", "key_file": "other.key"}


@pytest.mark.parametrize(
    ("host", "files", "why"),
    [
        ("localhost", _OWN | {"ca_file": "other.pem"}, "its certificate is not accepted: .*give it by ca_file"),
        ("localhost", {}, "its certificate is not accepted: self-signed certificate"),
        ("127.0.0.1", _OWN, "its certificate is not accepted: IP address mismatch"),
        ("localhost", {"ca_file": "ca.pem"}, "does it want a client's certificate. Give cert_file"),
        ("localhost", _STRANGER, "does it accept the authority of .*/other.pem"),
    ],
)
def test_certificate_that_does_not_fit_is_explained(
    tls_broker: Mosquitto, bench: Bench, pki: Path, host: str, files: dict[str, str], why: str
) -> None:
    given = {name: str(pki / file) for name, file in files.items()}
    with pytest.raises(OutputError, match=why):
        bench.make(f"mqtts://{host}:{tls_broker.port}", **given).check()


def test_tls_and_plain_ports_that_are_mixed_up_are_named(
    tls_broker: Mosquitto, bench: Bench, broker: Mosquitto
) -> None:
    with pytest.raises(OutputError, match="closed the connection without an answer; is it a broker, and without TLS"):
        bench.make(tls_broker.url).check()
    with pytest.raises(OutputError, match="does it speak TLS on this port"):
        bench.make(f"mqtts://localhost:{broker.port}").check()


def test_files_that_are_no_certificates_are_named_by_their_key(bench: Bench, pki: Path) -> None:
    for key, files in {
        "ca_file": {"ca_file": "ca.key"},
        "cert_file": {"cert_file": "client.pem", "key_file": "server.key"},
    }.items():
        with pytest.raises(OutputConfigError, match=f"^{key}: {pki}"):
            bench.make("mqtts://localhost", **{name: str(pki / file) for name, file in files.items()})
