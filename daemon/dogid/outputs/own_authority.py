"""An authority of the user's own, whose certificates an output accepts."""

import ssl
from pathlib import Path

from dogid.outputs.output import OutputError
from dogid.outputs.secret_files import find_secret


def find_authority(ca_file: str) -> Path:
    """Return the path of an authority's certificates, which are accepted instead of those of the system's.

    ca_file: as in the settings. Raise OutputError where it cannot be read, or holds no certificate.
    """
    path = find_secret(ca_file)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        raise OutputError(f"ca_file: {ca_file}: holds no certificate in PEM") from None
    except OSError as error:
        raise OutputError(f"ca_file: {ca_file}: cannot be read: {error.strerror}") from None
    return path.absolute()
