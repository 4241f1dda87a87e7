"""The views of photos: the list with its filters, one photo, a label, and their pictures."""

import datetime as dt
import sqlite3
from http import HTTPStatus

from flask import Response, request

from dogid.ledger import gallery_queries, queries
from dogid.ledger.gallery_queries import PhotoFacts
from dogid.ledger.histories import Position, read_history_page
from dogid.ledger.known_labels import list_known_labels
from dogid.ledger.queries import ResultFilter
from dogid.ledger.reviews import count_reviewed_labels
from dogid.result_document import Result
from dogid.web.api.results import HISTORY_POSITION, history_position, history_query
from dogid.web.daemon_view import DaemonView
from dogid.web.errors import ApiError
from dogid.web.pages import certainty, status_panel
from dogid.web.pages.daily_counts import DAYS, DailyCounter, count_photos_of_label
from dogid.web.pages.day_list import DayList
from dogid.web.pages.filter_choices import build_choices
from dogid.web.pages.filters import PhotoFilter, find_newer, find_newer_page, find_older, find_page
from dogid.web.pages.pictures import Pictures
from dogid.web.pages.rendering import draw_days, render_page
from dogid.web.pages.review_panel import label_buttons

_NEWEST = 1000
"""Photos of a label among which the surest and the most doubtful are looked for: more take longer."""
_EXTREMES = 6
"""Of each that are shown."""


class PhotoViews:
    """The views of photos of one daemon."""

    def __init__(self, daemon: DaemonView) -> None:
        self._daemon = daemon
        self._pictures = Pictures(daemon)
        self._daily, self._days = DailyCounter(), DayList()

    def index(self) -> Response:
        """Return the page of the newest photos. All parameters are optional."""
        db, now = self._daemon.reader(), dt.datetime.now().astimezone()
        photo_filter = PhotoFilter.from_query(request.args)
        buttons = label_buttons(db, self._daemon.model.labels)
        found, older = find_page(db, photo_filter)
        everything, present = queries.count_by_status(db), queries.count_present_by_status(db)
        return render_page(
            "index.html",
            photo_filter=photo_filter,
            no_filter=PhotoFilter(),
            results=found,
            older=older,
            newer=find_newer_page(db, photo_filter, found),
            total=sum(everything.values()),
            has_gone=everything["classified"] > present["classified"],
            choices=build_choices(
                db, photo_filter, self._daemon.model.labels, buttons.known, self._days.days(db), now.date()
            ),
            most_days=DAYS,
            days=draw_days(self._daily.counts(db, now)),
            certainty=self._certainty,
            health=status_panel.health_item(self._daemon),
            inbox=status_panel.inbox_path(self._daemon),
            max_upload=self._daemon.settings.max_upload,
            buttons=buttons,
        )

    def photo(self, photo_id: int) -> Response:
        """Return the page of one result, with one page of its photo's history."""
        db = self._daemon.reader()
        facts, result = self._find(photo_id)
        if facts is None or result is None:
            return render_page("missing.html", status=HTTPStatus.NOT_FOUND, photo_id=photo_id)
        before = _history_position()
        history = read_history_page(db, photo_id, before)
        came_by = PhotoFilter.from_query(request.args, "place")
        return render_page(
            "photo.html",
            result=result,
            threshold=self._daemon.settings.thresholds.get(result["label"], certainty.DEFAULT_THRESHOLD),
            certainty=self._certainty,
            history=history.steps,
            is_newest=before is None,
            older_history=None if history.next is None else history_query(history.next),
            facts=facts,
            model_input_size=self._pictures.model_input_size(facts),
            came_by=came_by,
            newer=find_newer(db, came_by, photo_id),
            older=find_older(db, came_by, photo_id),
            buttons=label_buttons(db, self._daemon.model.labels),
            health=status_panel.health_item(self._daemon),
        )

    def full(self, photo_id: int) -> Response:
        """Return a photo in the size of the screen."""
        db = self._daemon.reader()
        _, result = self._find(photo_id)
        if result is None:
            return render_page("missing.html", status=HTTPStatus.NOT_FOUND, photo_id=photo_id)
        came_by = PhotoFilter.from_query(request.args, "place")
        return render_page(
            "full.html",
            result=result,
            certainty=self._certainty,
            came_by=came_by,
            newer=find_newer(db, came_by, photo_id),
            older=find_older(db, came_by, photo_id),
        )

    def label(self) -> Response:
        """Return the page of one label."""
        db, label = self._daemon.reader(), request.args.get("label", "")
        newest = queries.list_results(db, ResultFilter(_EXTREMES, label=label, present=True))
        last = queries.list_results(db, ResultFilter(1, label=label))
        if not last and label not in list_known_labels(db):
            return render_page("missing.html", status=HTTPStatus.NOT_FOUND, photo_id=None)
        scores = sorted(gallery_queries.list_newest_scores(db, label, _NEWEST), reverse=True)
        doubtful = scores[: -_EXTREMES - 1 : -1]
        daily = count_photos_of_label(db, dt.datetime.now().astimezone(), label)
        return render_page(
            "label.html",
            label=label,
            no_filter=PhotoFilter(),
            by_model=gallery_queries.count_between(db, label, 0, queries.MAX_ID),
            by_people=count_reviewed_labels(db).get(label, 0),
            newest=newest,
            last=last,
            first=queries.list_results(db, ResultFilter(1, label=label, after=0)),
            threshold=self._daemon.settings.thresholds.get(label, certainty.DEFAULT_THRESHOLD),
            looked_at=len(scores),
            most=_NEWEST,
            surest=_read(db, [number for _, number in scores[:_EXTREMES]]),
            doubtful=_read(db, [number for _, number in doubtful]) if len(scores) > _EXTREMES else [],
            most_days=DAYS,
            days=draw_days(daily),
            certainty=self._certainty,
            health=status_panel.health_item(self._daemon),
        )

    def thumbnail(self, photo_id: int) -> Response:
        """Return a thumbnail of a result's photo."""
        return self._pictures.thumbnail(self._find_facts(photo_id))

    def original(self, photo_id: int) -> Response:
        """Return the file of a result's photo."""
        return self._pictures.original(self._find_facts(photo_id))

    def model_input(self, photo_id: int) -> Response:
        """Return the exact input that the model got for a result's photo."""
        return self._pictures.model_input(self._find_facts(photo_id))

    def _certainty(self, result: Result) -> str:
        return certainty.certainty(result, self._daemon.settings.thresholds)

    def _find(self, photo_id: int) -> tuple[PhotoFacts | None, Result | None]:
        facts = self._find_facts(photo_id)
        return facts, None if facts is None else queries.find_result(self._daemon.reader(), photo_id)

    def _find_facts(self, photo_id: int) -> PhotoFacts | None:
        return gallery_queries.find_photo_facts(self._daemon.reader(), photo_id) if photo_id <= queries.MAX_ID else None


def _read(db: sqlite3.Connection, ids: list[int]) -> list[Result]:
    found = [queries.find_result(db, number) for number in ids]
    return [result for result in found if result is not None]


def _history_position() -> Position | None:
    """Return where the history on a photo's page begins: at the newest step also where the parameters are invalid."""
    try:
        return history_position({parameter.name: parameter.value() for parameter in HISTORY_POSITION})
    except ApiError:
        return None
