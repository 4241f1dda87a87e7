"""TLS to an MQTT broker: which authority is trusted, and this client's own certificate."""

import ssl

from dogid.outputs.mqtt.configuration import MqttTable
from dogid.outputs.output import OutputConfigError
from dogid.outputs.secret_files import find_secret


def make_tls(table: MqttTable) -> ssl.SSLContext:
    """Return what TLS goes by. Raise OutputConfigError, which begins with the key, where a file is not usable."""
    ca = None if table.ca_file is None else find_secret(table.ca_file)
    try:
        context = ssl.create_default_context(cafile=ca)
    except ssl.SSLError:
        raise OutputConfigError(f"ca_file: {ca}: has no certificate in PEM") from None
    except OSError as error:
        raise OutputConfigError(f"ca_file: {ca}: cannot be read: {error.strerror}") from error
    if table.cert_file is None:
        return context
    cert = find_secret(table.cert_file)
    key = cert if table.key_file is None else find_secret(table.key_file)
    for name, file in (("cert_file", cert), ("key_file", key)):
        try:
            file.open("rb").close()
        except OSError as error:
            raise OutputConfigError(f"{name}: {file}: cannot be read: {error.strerror}") from error
    try:
        context.load_cert_chain(cert, key, password=_refuse_password)
    except (ssl.SSLError, ValueError) as error:
        reason = getattr(error, "reason", None) or str(error)
        raise OutputConfigError(f"cert_file: {cert} with the key of {key} is not usable: {reason}") from error
    return context


def _refuse_password() -> str:
    """Raise ValueError: without this, OpenSSL asks for the password of a key on the terminal."""
    raise ValueError("the key has a password; dogid needs it without, readable for its user alone")
