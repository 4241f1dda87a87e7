"""How answers, labels and names look: what the page's templates ask for."""

import datetime as dt
from typing import Any
from urllib.parse import parse_qsl

import pytest

from dogid.result_document import result_document
from dogid.web.pages.certainty import LIKELY, SURE, UNSURE, certainty, near_label
from dogid.web.pages.filter_choices import day_name
from dogid.web.pages.filters import PhotoFilter
from dogid.web.pages.formatting import elide
from dogid.web.pages.label_colours import COLOURS, NEUTRAL, label_colour


def answer(**scores: float) -> dict[str, Any]:
    return result_document(number=1, file="a.jpg", status="classified", scores=scores)


@pytest.mark.parametrize(
    ("score", "threshold", "look"),
    [(0.95, None, SURE), (0.7, None, LIKELY), (0.43, None, UNSURE), (0.95, 0.9, LIKELY), (0.85, 0.9, UNSURE)],
)
def test_certainty_goes_by_the_labels_threshold(score: float, threshold: float | None, look: str) -> None:
    assert certainty(answer(pug=score), {} if threshold is None else {"pug": threshold}) == look


def test_second_label_is_named_where_it_is_near() -> None:
    assert near_label(answer(pug=0.5, cat=0.4, dog=0.1)) == ("cat", 0.4)
    assert near_label(answer(pug=0.7, cat=0.3)) is None
    assert near_label(answer(pug=1.0)) is None


def test_label_keeps_its_colour() -> None:
    assert [label_colour(label) for label in ("dachshund", "pug", "poodle")] == [9, 0, 5]
    assert label_colour("other") == NEUTRAL
    assert {label_colour(str(number)) for number in range(1000)} == set(range(COLOURS))
    assert 0 <= label_colour("\udcff") < COLOURS


def test_ends_of_long_names_are_kept_whole() -> None:
    assert elide("2026/11/28/21-04-33.jpg") == ("2026/11/28/", "21-04-33.jpg")
    assert elide("a.jpg") == ("", "a.jpg")
    assert elide("夜の裏庭の写真.jpg") == ("夜の裏", "庭の写真.jpg")
    assert not elide("e\u0301" * 12)[1].startswith("\u0301")


def test_filters_make_links_that_are_read_again() -> None:
    chosen = PhotoFilter(
        status="classified", label="a & b/%", folder="Front Door", day=dt.date(2026, 11, 28), name="ü?",
        reviewed="false", unsure=True, show="all", before=7,
    )  # fmt: skip
    assert PhotoFilter.from_query(dict(parse_qsl(chosen.query()))) == chosen
    assert PhotoFilter.from_query(dict(parse_qsl(chosen.query("place"))), "place") == chosen
    assert chosen.photo_link(3).startswith("/page/photo/3?")
    assert PhotoFilter().link() == "/"
    for wrong in ({"day": "2026-02-30"}, {"day": "9999-12-31"}, {"show": "x"}, {"reviewed": "maybe"}, {"folder": "/"}):
        assert PhotoFilter.from_query(wrong) == PhotoFilter()


def test_days_are_named_as_people_do() -> None:
    today = dt.date(2026, 11, 29)
    days = [today, dt.date(2026, 11, 28), dt.date(2026, 11, 20), dt.date(2025, 1, 2)]
    assert [day_name(day, today) for day in days] == ["Today", "Yesterday", "Fri 20 Nov", "2 Jan 2025"]
