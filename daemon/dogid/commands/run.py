"""`dogid run`: the daemon, in the foreground."""

import argparse
import faulthandler
import logging
import queue
import signal
import threading
from enum import Enum
from typing import TYPE_CHECKING

from dogid import settings
from dogid.errors import DogidError
from dogid.journal import set_up_logging
from dogid.memory import give_back
from dogid.notify import Notifier
from dogid.reloading import record_outcome

if TYPE_CHECKING:
    from dogid.service import Service

log = logging.getLogger("dogid")


class Request(Enum):
    """What a signal asks for."""

    STOP = "stop"
    RELOAD = "reload"


_SIGNALS = {signal.SIGTERM: Request.STOP, signal.SIGINT: Request.STOP, signal.SIGHUP: Request.RELOAD}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """All settings are flags of the daemon."""
    settings.add_flags(parser)


def run(args: argparse.Namespace) -> int:
    """Watch, classify and serve until SIGTERM or Ctrl-C; SIGHUP loads the settings and the model anew."""
    in_journal = set_up_logging()
    _leave_traces()
    try:
        return _serve(args, settings.load(args))
    except DogidError as error:
        if not in_journal:
            raise
        log.error("%s", error)
        return error.exit_status
    except Exception:
        log.critical("the daemon met with an error of its own and ends", exc_info=True)
        return 1


def _serve(args: argparse.Namespace, chosen: settings.Settings) -> int:
    from dogid.service import Service
    from dogid.web.server import WebServer

    requests: queue.SimpleQueue[Request] = queue.SimpleQueue()
    for number, request in _SIGNALS.items():
        signal.signal(number, lambda *_, asked=request: requests.put(asked))
    notifier = Notifier.from_environment()
    server = WebServer(chosen.host, chosen.port)
    service = Service(chosen, notifier=notifier)
    with service.running():
        from dogid.web.app import create_app  # flask takes long to import: the photos need not wait for it

        server.start(create_app(service))
        give_back()  # what the trials of the model took
        log.info("watching %s (%s)", service.inbox, service.watch_status.reason)
        log.info("results at %sresults", server.url)
        notifier.ready(service.status_line())
        while requests.get() is Request.RELOAD:
            notifier.reloading()
            record_outcome(_reload(service, args))
            notifier.ready(service.status_line())
        notifier.stopping()
        log.info("stopping")
        server.stop()
    return 0


def _reload(service: "Service", args: argparse.Namespace) -> str | None:
    """Load settings and model anew; return why they were refused, or None."""
    try:
        service.reload(settings.load(args))
    except DogidError as error:
        log.error("reload refused, all goes on as before: %s", error)
        return str(error)
    except Exception as error:
        log.exception("reload refused, all goes on as before")
        return f"{type(error).__name__}: {error}"
    log.info("reloaded: model %s", service.model.file.name)
    return None


def _leave_traces() -> None:
    """Have the stacks of all threads on stderr where the process is ended by a fault, or by systemd's watchdog."""
    faulthandler.enable()
    threading.excepthook = lambda ended: log.critical(
        "the thread %s has ended by an error",
        ended.thread.name if ended.thread else "?",
        exc_info=(ended.exc_type, ended.exc_value or ended.exc_type(), ended.exc_traceback),
    )
