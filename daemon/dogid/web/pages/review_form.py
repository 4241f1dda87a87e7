"""What the page's forms for reviews send, as a word on photos."""

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from werkzeug.datastructures import MultiDict

from dogid.ledger.queries import MAX_ID
from dogid.ledger.review_writer import Word, WordError, say_label, say_verdict
from dogid.web.api.reviews import MOST_IDS
from dogid.web.errors import ApiError

_MAX_DIGITS = len(str(MAX_ID))


@dataclass(frozen=True, slots=True)
class SentReview:
    """A word on photos."""

    ids: list[int]
    word: Word


def read_review(form: MultiDict[str, str], by: str) -> SentReview:
    """Return what a form says about photos, in the name of `by`. Raise ApiError.

    `ids` are those of results, one or several, by commas. Then `label` is that of a button, `verdict` one of
    `say_verdict`, or else `typed` is a label that was written. `confirm` is the id of a result whose label is right.
    """
    if "confirm" in form:
        return SentReview(_read_ids(form.getlist("confirm")), _checked(lambda: say_verdict("confirmed", by)))
    ids = _read_ids(form.getlist("ids"))
    label, verdict = form.get("label"), form.get("verdict")
    if label is not None:
        return SentReview(ids, _checked(lambda: say_label(label, by)))
    if verdict is not None:
        return SentReview(ids, _checked(lambda: say_verdict(verdict, by)))
    return SentReview(ids, _checked(lambda: say_label(form.get("typed", ""), by)))


def local_path(path: str | None) -> str:
    """Return the path that a form has been sent from, to go back to; `/` where it is none of this daemon's."""
    is_local = path is not None and path.startswith("/") and path[1:2] not in ("/", "\\") and path.isprintable()
    return path if path is not None and is_local else "/"


def _read_ids(texts: list[str]) -> list[int]:
    parts = [part for text in texts for part in text.split(",")]
    if not parts:
        raise _refused("no photo is selected; select one or more first")
    if len(parts) > MOST_IDS:
        raise _refused(f"{len(parts)} photos are selected; at most {MOST_IDS} are possible at once")
    if not all(part.isascii() and part.isdigit() and len(part) <= _MAX_DIGITS for part in parts):
        raise _refused("ids must be whole numbers")
    return [int(part) for part in parts]


def _checked(say: Callable[[], Word]) -> Word:
    try:
        return say()
    except WordError as error:
        raise _refused(str(error)) from None


def _refused(message: str) -> ApiError:
    return ApiError(HTTPStatus.BAD_REQUEST, "bad_request", message)
