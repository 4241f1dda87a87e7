"""`dogid run`: the daemon, in the foreground."""

import argparse
import logging
import signal
import sys
import threading

from dogid import settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """All settings are flags of the daemon."""
    settings.add_flags(parser)


def run(args: argparse.Namespace) -> int:
    """Watch, classify and serve until SIGTERM or Ctrl-C."""
    from dogid.service import Service
    from dogid.web.server import WebServer

    chosen = settings.load(args)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    log = logging.getLogger("dogid")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    server = WebServer(chosen.host, chosen.port)
    service = Service(chosen)
    with service.running():
        from dogid.web.app import create_app  # flask takes long to import: the photos need not wait for it

        server.start(create_app(service))
        log.info("watching %s (%s)", service.inbox, service.watch_status.reason)
        log.info("results at %sresults", server.url)
        stop.wait()
        log.info("stopping")
        server.stop()
    return 0
