"""What the addresses beneath /page answer, and the page itself."""

import datetime as dt
from http import HTTPStatus

from flask import Response, request

from dogid.ledger import page_queries, queries
from dogid.ledger.page_queries import PhotoFacts
from dogid.service import Service
from dogid.web.pages import glance
from dogid.web.pages.chart import HEIGHT, WIDTH, chart
from dogid.web.pages.daily import DailyCounter
from dogid.web.pages.gallery import PAGE, Wanted
from dogid.web.pages.rendering import asset, page
from dogid.web.pages.thumbnails import LARGE, TILE, BusyError, GoneError, Thumbnails

_FEW_LABELS = 12  # are links; more are a list to choose from
_KEPT_SECONDS = 86_400
_LARGEST_ID = (1 << 63) - 1


class Pages:
    """All that the page needs to remember of one daemon."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._thumbnails = Thumbnails()
        self._daily = DailyCounter()

    def index(self) -> Response:
        """The newest photos and the daemon's state; all arguments of the request are optional."""
        db = self._service.reader()
        wanted = Wanted.of(request.args)
        found = queries.list_results(db, wanted.filter(PAGE + 1))
        counts = queries.counts(db)
        labels = page_queries.labels_given(db, most=200)
        return page(
            "index.html",
            wanted=wanted,
            results=found[:PAGE],
            older=found[PAGE - 1]["id"] if len(found) > PAGE else None,
            counts=counts,
            labels=labels or sorted(self._service.model.labels)[:200],
            few_labels=_FEW_LABELS,
            chart=chart(daily := self._daily.counts(db, dt.datetime.now().astimezone())),
            chart_size=(WIDTH, HEIGHT),
            daily=daily,
            health=glance.health(self._service),
            facts=glance.facts(self._service),
            inbox=glance.inbox_path(self._service),
            max_bytes=self._service.settings.max_bytes,
        )

    def photo(self, photo_id: int) -> Response:
        """All that is known of one result."""
        db = self._service.reader()
        facts = self._facts(photo_id)
        result = None if facts is None else queries.result_with_history(db, photo_id)
        if facts is None or result is None:
            return page("missing.html", status=HTTPStatus.NOT_FOUND, photo_id=photo_id)
        return page(
            "photo.html",
            result=result,
            facts=facts,
            seen_size=self._seen_size(facts),
            neighbours=page_queries.neighbours(db, photo_id),
            health=glance.health(self._service),
        )

    def thumbnail(self, photo_id: int) -> Response:
        """A small picture of a photo as it lies in the inbox."""
        facts = self._facts(photo_id)
        side = LARGE if request.args.get("size") == "large" else TILE
        if facts is None or facts.sha256 is None:
            return _placeholder()
        answer = _unchanged(f"{facts.sha256}-{side}")
        if answer is None:
            settings = self._service.settings
            try:
                picture = self._thumbnails.thumbnail(self._service.inbox, facts, side, settings.max_bytes)
            except GoneError:
                return _placeholder()
            except BusyError:
                return _busy()
            answer = Response(picture, mimetype="image/jpeg")
        return _kept(answer, f"{facts.sha256}-{side}")

    def seen(self, photo_id: int) -> Response:
        """The pixels that the model got, as they are."""
        facts = self._facts(photo_id)
        size = None if facts is None else self._seen_size(facts)
        if facts is None or size is None:
            return _placeholder()
        try:
            picture = self._thumbnails.seen(self._service.inbox, facts, size, self._service.settings.max_bytes)
        except GoneError:
            return _placeholder()
        except BusyError:
            return _busy()
        return _kept(Response(picture, mimetype="image/png"), f"{facts.sha256}-{size[0]}x{size[1]}")

    def login(self) -> Response:
        """The form that asks for the token."""
        return page("login.html", failed="failed" in request.args)

    def static(self, name: str) -> Response:
        """A style sheet, a script, a drawing."""
        try:
            data, media_type, version = asset(name)
        except KeyError:
            return page("missing.html", status=HTTPStatus.NOT_FOUND, photo_id=None)
        answer = _unchanged(version) or Response(data, mimetype=media_type)
        answer.set_etag(version)
        if request.args.get("v") == version:
            answer.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        else:
            answer.headers["Cache-Control"] = "no-cache"
        return answer

    def _facts(self, photo_id: int) -> PhotoFacts | None:
        return page_queries.photo_facts(self._service.reader(), photo_id) if photo_id <= _LARGEST_ID else None

    def _seen_size(self, facts: PhotoFacts) -> tuple[int, int] | None:
        """The size that the model of a result takes; None where it is not the model of now, whose size is known."""
        model = self._service.model
        return model.size if facts.sha256 and facts.model_sha256 == model.file.sha256 else None


def _unchanged(tag: str) -> Response | None:
    return Response(status=HTTPStatus.NOT_MODIFIED) if request.if_none_match.contains(tag) else None


def _kept(answer: Response, tag: str) -> Response:
    answer.set_etag(tag)
    answer.headers["Cache-Control"] = f"private, max-age={_KEPT_SECONDS}"
    return answer


def _placeholder() -> Response:
    """A drawing of nothing: browsers show it though the status says that the photo is not there."""
    data, media_type, _ = asset("gone.svg")
    answer = Response(data, HTTPStatus.NOT_FOUND, mimetype=media_type)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _busy() -> Response:
    answer = Response("busy: other pictures are being made; ask again", HTTPStatus.SERVICE_UNAVAILABLE)
    answer.mimetype = "text/plain"
    answer.headers["Retry-After"] = "1"
    answer.headers["Cache-Control"] = "no-store"
    return answer
