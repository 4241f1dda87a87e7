"""A connection to a Ray cluster: to one that runs, or to one started on this machine for a single run."""

import contextlib
import logging
import os
import socket
import warnings
from collections.abc import Iterator
from typing import Any

from dogid.errors import DogidError, UsageError

_ANSWER_SECONDS = 5.0  # for the head node to answer. Less fails on slow networks; more has a user wait for a wrong name
# Of the object store of a cluster of one machine, which holds entries and rows only, a few kilobytes each.
_STORE_BYTES = 100_000_000
_STORE_BYTES_PER_CORE = 20_000_000
# A head node speaks gRPC, which is HTTP/2: a server greets each client with its settings (RFC 9113, 3.4).
_HTTP2_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5)
_HTTP2_SETTINGS = b"\x04"
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is sent to Ray's makers
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # of libraries of Ray's that write to this terminal; its files have everything
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # a warning of another default to come
}


@contextlib.contextmanager
def connected(address: str | None, cores: int) -> Iterator[int]:
    """Use a cluster while the context lasts, and yield how many cores it has for photos.

    address: of the head node, as HOST:PORT; None starts a cluster on this machine for so many cores. Raise UsageError
    where none answers.
    """
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if address is not None:
        _check_answer(address)
    import ray

    _silence_loggers()
    with (
        open(os.devnull, "w") as nowhere,
        contextlib.redirect_stdout(nowhere),
    ):  # where Ray prints what happens to nodes
        try:
            if address is None:
                store = _STORE_BYTES + cores * _STORE_BYTES_PER_CORE
                _start(ray, address="local", num_cpus=cores, object_store_memory=store)
            else:
                _start(ray, address=address)
        except (Exception, SystemExit) as error:
            raise _explain(error, address) from error
        try:
            yield cores if address is None else _count_cores(ray)
        finally:
            ray.shutdown()


def _silence_loggers() -> None:
    """Have Ray say nothing but what it raises; its own files have the rest."""
    for name in ("ray", "ray.data"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", module=r"ray\.")


def _start(ray: Any, **place: Any) -> None:
    dashboard = {"include_dashboard": False} if place["address"] == "local" else {}
    with _no_stderr():
        ray.init(log_to_driver=False, logging_level=logging.CRITICAL, **dashboard, **place)


@contextlib.contextmanager
def _no_stderr() -> Iterator[None]:
    """Drop what is written to stderr: Ray's libraries say there how much they are going to say."""
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _check_answer(address: str) -> None:
    """Raise UsageError where an address is none, or nothing listens there: Ray itself would wait for a minute."""
    if address == "auto":
        return
    host, separator, port = address.rpartition(":")
    if "://" in address or not separator or not port.isdigit():
        raise UsageError(f"--address {address}: give the address of the cluster's head node as HOST:PORT, or auto")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), _ANSWER_SECONDS) as connection:
            connection.settimeout(_ANSWER_SECONDS)
            connection.sendall(_HTTP2_GREETING)
            if os.environ.get("RAY_USE_TLS", "0") == "0" and connection.recv(9)[3:4] != _HTTP2_SETTINGS:
                raise ConnectionError("what listens there is something else")
    except (OSError, OverflowError) as error:
        raise UsageError(
            f"--address {address}: no Ray cluster answers there ({error}): is the head node up (ray start --head), and"
            " is this its port? Without --address, one is started on this machine"
        ) from error


def _count_cores(ray: Any) -> int:
    cores = int(ray.cluster_resources().get("CPU", 0))
    if not cores:
        raise UsageError("the Ray cluster has no cores: start its nodes with --num-cpus")
    return cores


def _explain(error: BaseException, address: str | None) -> DogidError:
    reason = " ".join(str(error).split())[:300] or type(error).__name__
    if address is None:
        return DogidError(f"Ray cannot be started on this machine: {reason}; --engine local works without it")
    if "uthentication" in reason or "token" in reason:
        return UsageError(
            f"--address {address}: the cluster asks for its token, and this user has another one or none: copy"
            f" ~/.ray/auth_token from the head node, or give it by RAY_AUTH_TOKEN ({reason})"
        )
    return UsageError(
        f"--address {address}: the Ray cluster cannot be used from here: {reason}; this machine must be one of its"
        " nodes (ray start --address), with the same releases of Ray and Python"
    )
