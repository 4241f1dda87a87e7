"""`dogid run`: the daemon, in the foreground."""

import argparse
import contextlib
import faulthandler
import logging
import os
import threading
from typing import TYPE_CHECKING, Any

from dogid import settings
from dogid.errors import DogidError
from dogid.system.journal import set_up_logging
from dogid.system.malloc import freeze_gc, limit_malloc_arenas, trim_malloc
from dogid.system.reload import record_outcome
from dogid.system.sd_notify import Notifier
from dogid.system.signals import Request, Requests, StoppedError

if TYPE_CHECKING:
    from dogid.daemon.daemon import Daemon

log = logging.getLogger("dogid")

_LEAVE_SECONDS = 4.0  # after a stop was asked for; what has not ended by then ends with the process


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """All settings are flags of the daemon."""
    settings.add_flags(parser)


def run(args: argparse.Namespace) -> int:
    """Watch, classify and serve until SIGTERM or Ctrl-C; SIGHUP loads the settings and the model anew."""
    limit_malloc_arenas()
    in_journal = set_up_logging()
    _leave_traces()
    try:
        for complaint in settings.misspelt():
            log.warning("%s", complaint)
        _serve(args, settings.load(args))
        _leave()
    except DogidError as error:
        if not in_journal:
            raise
        log.error("%s", error)
        return error.exit_status
    except Exception:
        log.critical("the daemon met with an error of its own and ends", exc_info=True)
    return 1


def _serve(args: argparse.Namespace, chosen: settings.Settings) -> None:
    requests = Requests()
    notifier = Notifier.from_environment()
    with contextlib.ExitStack() as closing:
        try:
            service = requests.meanwhile("start", lambda: _start(chosen, notifier, closing))
            notifier.ready(service.status_line())
            while requests.next() is Request.RELOAD:
                notifier.reloading()
                record_outcome(requests.meanwhile("reload", lambda: _reload(service, args)))
                notifier.ready(service.status_line())
        except StoppedError:
            record_outcome("the daemon stops")
        notifier.stopping()
        log.info("stopping")
        _leave_in(_LEAVE_SECONDS)


def _start(chosen: settings.Settings, notifier: Notifier, closing: contextlib.ExitStack) -> "Daemon":
    """Open all doors; closing gets to know how they are closed."""
    from dogid.daemon.daemon import Daemon
    from dogid.web.auth.access import decide_access
    from dogid.web.server.lazy_app import LazyWsgiApp
    from dogid.web.server.limits import BODY_ALLOWANCE
    from dogid.web.server.listener import WebServer

    server = WebServer(chosen.host, chosen.port)
    access = decide_access(chosen, server.address)
    if access.token is None and not server.is_loopback:
        log.warning("anybody who reaches %s can read the results and use this machine (insecure_no_auth)", server.url)
    service = Daemon(chosen, notifier=notifier)
    closing.enter_context(service.running())

    def application() -> Any:
        from dogid.web.app import create_app

        return create_app(service, access, server.extra_thread)

    server.start(LazyWsgiApp(application), chosen.max_upload + BODY_ALLOWANCE)
    closing.callback(server.stop)
    freeze_gc()
    trim_malloc()  # what the trials of the model took
    closing.callback(service.result_signal.close)  # first of all: each listener of /events holds a server thread
    log.info("watching %s (%s)", service.inbox, service.watch_status.reason)
    log.info("results at %sresults", server.url)
    log.info("the page for people: %s", server.url)
    return service


def _reload(service: "Daemon", args: argparse.Namespace) -> str | None:
    """Load settings and model anew; return why they were refused, or None."""
    try:
        service.reload(settings.load(args))
    except Exception as error:
        if service.is_stopping:
            return None  # the stop has won: nobody waits for this any more
        expected = isinstance(error, DogidError)
        log.error("reload refused, all goes on as before: %s", error, exc_info=not expected)
        return str(error) if expected else f"{type(error).__name__}: {error}"
    log.info("reloaded: model %s", service.model.file.name)
    return None


def _leave_in(seconds: float) -> None:
    """Have the process end in so many seconds, whatever still hangs: nothing that is pending is lost by that."""

    def leave() -> None:
        log.warning("not everything has ended within %g s; what was not finished stays pending", seconds)
        _leave()

    timer = threading.Timer(seconds, leave)
    timer.daemon = True
    timer.start()


def _leave() -> None:
    """End the process without the interpreter's own end, in which a thread that is still in C code may abort it."""
    logging.shutdown()
    os._exit(0)


def _leave_traces() -> None:
    """Have the stacks of all threads on stderr where the process is ended by a fault, or by systemd's watchdog."""
    faulthandler.enable()
    threading.excepthook = lambda ended: log.critical(
        "the thread %s has ended by an error",
        ended.thread.name if ended.thread else "?",
        exc_info=(ended.exc_type, ended.exc_value or ended.exc_type(), ended.exc_traceback),
    )
