"""`dogid run`: the daemon, in the foreground."""

import argparse
import contextlib
import faulthandler
import logging
import os
import sqlite3
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dogid import settings
from dogid.conditions import no_more_threads, reload_by_hand, state_in_use
from dogid.errors import DogidError, UnavailableError, UsageError
from dogid.file_names import one_line
from dogid.system.garbage_collection import collecting_seldom, freeze_gc
from dogid.system.journal import set_up_logging
from dogid.system.malloc import limit_malloc_arenas, trim_malloc
from dogid.system.reload import record_reload_outcome
from dogid.system.sd_notify import Notifier
from dogid.system.signals import SignalRequest, SignalRequests, StoppedError

if TYPE_CHECKING:
    from dogid.daemon.daemon import Daemon

log = logging.getLogger("dogid")

_EXIT_SECONDS = 4.0  # from a stop request to the exit at the latest; must be less than the unit's TimeoutStopSec


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add a flag for each setting."""
    settings.add_flags(parser)


def run(args: argparse.Namespace) -> int:
    """Watch, classify and serve until SIGTERM or Ctrl-C; reload settings and model at SIGHUP."""
    limit_malloc_arenas()
    in_journal = set_up_logging()
    _dump_stacks_on_crash()
    try:
        for warning in settings.unknown_variables():
            log.warning("%s", warning)
        _serve_or_explain(args)
        _exit_now()
    except DogidError as error:
        if not in_journal:
            raise
        log.error("%s", error)
        return DogidError.exit_status if isinstance(error, UnavailableError) else error.exit_status
    except Exception:
        log.critical("internal error; the daemon ends", exc_info=True)
    return 1


def _serve_or_explain(args: argparse.Namespace) -> None:
    try:
        _serve(args, settings.load(args))
    except RuntimeError as error:
        problem = no_more_threads(error)
        if problem is None:
            raise
        raise DogidError(problem) from error


def _serve(args: argparse.Namespace, chosen: settings.Settings) -> None:
    requests = SignalRequests()
    notifier = Notifier.from_environment()
    with contextlib.ExitStack() as stack:
        try:
            daemon = requests.run_interruptibly("start", lambda: _start(chosen, notifier, stack))
            notifier.ready(daemon.status_line())
            while requests.wait() is SignalRequest.RELOAD:
                notifier.reloading()
                record_reload_outcome(requests.run_interruptibly("reload", lambda: _reload(daemon, args)))
                notifier.ready(daemon.status_line())
        except StoppedError:
            record_reload_outcome("the daemon stops")
        notifier.stopping()
        log.info("stopping")
        _exit_after(_EXIT_SECONDS)


def _start(chosen: settings.Settings, notifier: Notifier, stack: contextlib.ExitStack) -> "Daemon":
    """Start the daemon and its web server; add to stack how they stop."""
    from dogid.daemon.condition_monitor import read_url
    from dogid.daemon.daemon import Daemon
    from dogid.daemon.folders import is_running
    from dogid.web.auth.access import decide_access
    from dogid.web.server.lazy_app import LazyWsgiApp
    from dogid.web.server.limits import BODY_ALLOWANCE
    from dogid.web.server.listener import WebServer

    if chosen.outputs or chosen.rule:
        _check_tables(chosen)  # before the inbox is made
    try:
        server = WebServer(chosen.host, chosen.port)
    except UsageError as error:
        state = chosen.state.absolute()
        if is_running(state):  # probably the one that has the port
            raise UsageError(state_in_use(state, read_url(state))) from error
        raise
    access = decide_access(chosen, server.address)
    if access.token is None and not server.is_loopback:
        log.warning("anyone who can reach %s can read the results and use this machine (insecure_no_auth)", server.url)
    daemon = Daemon(chosen, notifier=notifier)
    daemon.outputs.page_url, daemon.outputs.read_status = server.url, _status_reader(daemon)
    stack.enter_context(daemon.running())

    def application() -> Any:
        with collecting_seldom():
            from dogid.web.app import create_app

            return create_app(daemon, access, server.extra_thread)

    server.start(LazyWsgiApp(application), chosen.max_upload + BODY_ALLOWANCE)
    stack.callback(server.stop)
    freeze_gc()
    trim_malloc()  # what the self-tests of the model have used
    stack.callback(daemon.result_signal.close)  # first of all: each listener of /events holds a server thread
    if chosen.config_file is not None:
        reload = reload_by_hand(daemon.state, os.getpid())
        log.info("settings of %s; after a change: %s", one_line(str(chosen.config_file)), reload)
    log.info("watching %s (%s)", daemon.inbox, daemon.watch_status.reason)
    log.info("results at %sresults", server.url)
    log.info("status page: %s", server.url)
    return daemon


def _check_tables(chosen: settings.Settings) -> None:
    """Raise UsageError where a table of outputs or rules is wrong."""
    from dogid.outputs.alone import prepare_alone

    prepare_alone(chosen)


def _status_reader(daemon: "Daemon") -> Callable[[], dict[str, Any]]:
    """Return what reads the document of `/status` for outputs; most daemons have none that asks."""
    known: list[Any] = []

    def read() -> dict[str, Any]:
        from dogid.web.api.status import status_document
        from dogid.web.older_answers import OlderAnswers
        from dogid.web.recent_drift import RecentDrift

        if not known:
            known.extend((OlderAnswers(), RecentDrift()))
        return status_document(daemon, *known)

    return read


def _reload(daemon: "Daemon", args: argparse.Namespace) -> str | None:
    """Load settings and model again, or change the model as a command asks; return why that was rejected, or None."""
    try:
        # both, where two commands ask at once
        if daemon.answer_model_request() | _answer_output_requests(daemon):
            return None
        daemon.reload(settings.load(args))
    except Exception as error:
        if daemon.is_stopping:
            return None  # a stop takes precedence over the outcome
        expected = isinstance(error, DogidError)
        log.error("reload rejected; keeping current settings: %s", error, exc_info=not expected)
        return str(error) if expected else f"{type(error).__name__}: {error}"
    log.info("reloaded: model %s", daemon.model.file.name)
    daemon.log_model()
    return None


def _answer_output_requests(daemon: "Daemon") -> bool:
    """Send test messages that commands ask for; return whether there were any. A reload goes on where that fails."""
    try:
        return daemon.outputs.answer_requests()
    except (sqlite3.Error, DogidError) as error:
        log.warning("the requests to outputs cannot be read: %s", error)
        return False


def _exit_after(seconds: float) -> None:
    """Exit after this many seconds even if a thread hangs; unfinished photos stay pending, so nothing is lost."""

    def give_up() -> None:
        log.warning("some threads did not end within %g s; unfinished photos stay pending", seconds)
        _exit_now()

    timer = threading.Timer(seconds, give_up)
    timer.daemon = True
    timer.start()


def _exit_now() -> None:
    """End the process without the interpreter's shutdown, which a thread that is still in C code may abort."""
    logging.shutdown()
    os._exit(0)


def _dump_stacks_on_crash() -> None:
    """Print the stacks of all threads to stderr at a crash, or when systemd's watchdog ends the process."""
    faulthandler.enable()
    threading.excepthook = lambda ended: log.critical(
        "thread %s ended by an error",
        ended.thread.name if ended.thread else "?",
        exc_info=(ended.exc_type, ended.exc_value or ended.exc_type(), ended.exc_traceback),
    )
