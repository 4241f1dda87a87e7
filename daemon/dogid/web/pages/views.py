"""What the addresses beneath /page answer, and the page itself."""

import datetime as dt
from http import HTTPStatus

from flask import Response, request

from dogid.ledger import gallery_queries, queries
from dogid.ledger.gallery_queries import PhotoFacts
from dogid.ledger.histories import Position, history_page
from dogid.web.api.results import HISTORY_POSITION, history_position, history_query
from dogid.web.daemon_view import DaemonView
from dogid.web.errors import ApiError
from dogid.web.pages import status_panel
from dogid.web.pages.chart import HEIGHT, WIDTH, chart
from dogid.web.pages.daily_counts import DailyCounter
from dogid.web.pages.disk_usage import Disk
from dogid.web.pages.filters import PAGE, Wanted, offered_labels
from dogid.web.pages.pictures import Pictures, unchanged
from dogid.web.pages.rendering import asset, page

_LARGEST_ID = (1 << 63) - 1


class Pages:
    """All that the page needs to remember of one daemon."""

    def __init__(self, daemon: DaemonView) -> None:
        self._daemon = daemon
        self._pictures = Pictures(daemon)
        self._disks = Disk(daemon.inbox), Disk(daemon.state)
        self._daily = DailyCounter()

    def index(self) -> Response:
        """The newest photos and the daemon's state; all arguments of the request are optional."""
        db = self._daemon.reader()
        wanted = Wanted.of(request.args)
        found = queries.list_results(db, wanted.filter(PAGE + 1))
        counts = queries.counts(db)
        return page(
            "index.html",
            wanted=wanted,
            results=found[:PAGE],
            older=found[PAGE - 1]["id"] if len(found) > PAGE else None,
            counts=counts,
            labels=offered_labels(db, wanted.label),
            chart=chart(daily := self._daily.counts(db, dt.datetime.now().astimezone())),
            chart_size=(WIDTH, HEIGHT),
            daily=daily,
            health=status_panel.health(self._daemon),
            facts=status_panel.facts(self._daemon, *self._disks),
            inbox=status_panel.inbox_path(self._daemon),
            max_upload=self._daemon.settings.max_upload,
        )

    def photo(self, photo_id: int) -> Response:
        """All that is known of one result, with a page of its photo's history."""
        db = self._daemon.reader()
        facts = self._facts(photo_id)
        result = None if facts is None else queries.find_result(db, photo_id)
        if facts is None or result is None:
            return page("missing.html", status=HTTPStatus.NOT_FOUND, photo_id=photo_id)
        before = _history_position()
        history = history_page(db, photo_id, before)
        return page(
            "photo.html",
            result=result,
            history=history.steps,
            is_newest=before is None,
            older_history=None if history.next is None else history_query(history.next),
            facts=facts,
            seen_size=self._pictures.seen_size(facts),
            neighbours=gallery_queries.neighbours(db, photo_id),
            health=status_panel.health(self._daemon),
        )

    def thumbnail(self, photo_id: int) -> Response:
        """A small picture of a photo as it lies in the inbox."""
        return self._pictures.thumbnail(self._facts(photo_id))

    def seen(self, photo_id: int) -> Response:
        """The pixels that the model got, as they are."""
        return self._pictures.seen(self._facts(photo_id))

    def login(self) -> Response:
        """The form that asks for the token."""
        return page("login.html", failed="failed" in request.args)

    def static(self, name: str) -> Response:
        """A style sheet, a script, a drawing."""
        try:
            data, media_type, version = asset(name)
        except KeyError:
            return page("missing.html", status=HTTPStatus.NOT_FOUND, photo_id=None)
        answer = unchanged(version) or Response(data, mimetype=media_type)
        answer.set_etag(version)
        if request.args.get("v") == version:
            answer.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        else:
            answer.headers["Cache-Control"] = "no-cache"
        return answer

    def _facts(self, photo_id: int) -> PhotoFacts | None:
        return gallery_queries.photo_facts(self._daemon.reader(), photo_id) if photo_id <= _LARGEST_ID else None


def _history_position() -> Position | None:
    """Where the history on a photo's page begins; at its newest step, too, where the address makes no sense."""
    try:
        return history_position({parameter.name: parameter.value() for parameter in HISTORY_POSITION})
    except ApiError:
        return None
