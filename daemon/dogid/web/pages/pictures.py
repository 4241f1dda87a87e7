"""Pictures of photos as answers, and for how long browsers may keep them."""

from collections.abc import Callable
from http import HTTPStatus

from flask import Response, request

from dogid.ledger.gallery_queries import PhotoFacts
from dogid.web.daemon_view import DaemonView
from dogid.web.deadline_executor import BusyError
from dogid.web.pages.rendering import asset, version
from dogid.web.pages.thumbnails import LARGE, TILE, GoneError, Thumbnails

_KEPT_SECONDS = 86_400


class Pictures:
    """Answers with pictures of photos that still lie in the inbox."""

    def __init__(self, daemon: DaemonView) -> None:
        self._daemon = daemon
        self._thumbnails = Thumbnails(lambda: daemon.settings.decode_timeout)

    def thumbnail(self, facts: PhotoFacts | None) -> Response:
        """A small picture."""
        if facts is None or facts.sha256 is None:
            return _placeholder()
        side = LARGE if request.args.get("size") == "large" else TILE
        inbox, most = self._daemon.inbox, self._daemon.settings.max_bytes
        answer = self._answer(
            facts, f"{facts.sha256}-{side}", "image/jpeg", lambda: self._thumbnails.thumbnail(inbox, facts, side, most)
        )
        return _kept(answer, version(facts.sha256))

    def seen(self, facts: PhotoFacts | None) -> Response:
        """The pixels that the model got."""
        size = None if facts is None else self.seen_size(facts)
        if facts is None or facts.sha256 is None or size is None:
            return _placeholder()
        inbox, most = self._daemon.inbox, self._daemon.settings.max_bytes
        tag = f"{facts.sha256}-{size[0]}x{size[1]}"
        answer = self._answer(facts, tag, "image/png", lambda: self._thumbnails.seen(inbox, facts, size, most))
        return _kept(answer, version(facts.sha256, size))

    def seen_size(self, facts: PhotoFacts) -> tuple[int, int] | None:
        """The size that the model of a result takes; None where it is not the model of now, whose size is known."""
        model = self._daemon.model
        return model.size if facts.sha256 and facts.model_sha256 == model.file.sha256 else None

    def _answer(self, facts: PhotoFacts, tag: str, media_type: str, make: Callable[[], bytes]) -> Response:
        """The picture, or that the browser's is still right: never of a photo that is not there any more."""
        try:
            known = unchanged(tag)
            if known is not None and self._thumbnails.is_unchanged(self._daemon.inbox, facts):
                answer = known
            else:
                answer = Response(make(), mimetype=media_type)
        except GoneError:
            return _placeholder()
        except BusyError:
            return _busy()
        answer.set_etag(tag)
        return answer


def unchanged(tag: str) -> Response | None:
    """Return "not modified" where the browser has what has this tag."""
    return Response(status=HTTPStatus.NOT_MODIFIED) if request.if_none_match.contains(tag) else None


def _kept(answer: Response, content: str) -> Response:
    """Have browsers keep a picture where its address says what it shows."""
    if answer.status_code in (HTTPStatus.OK, HTTPStatus.NOT_MODIFIED):
        is_certain = request.args.get("v") == content
        answer.headers["Cache-Control"] = f"private, max-age={_KEPT_SECONDS}" if is_certain else "private, no-cache"
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
