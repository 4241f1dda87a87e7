"""Photos are counted by the day on which they came and the label that they have now."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from dogid.inbox.scan import FoundFile, Version
from dogid.ledger.database import open_for_reading
from dogid.ledger.ledger import Ledger
from dogid.ledger.outcomes import Classified, Job, Timings
from dogid.web.pages.chart import build_chart
from dogid.web.pages.daily_counts import DAYS, DailyCounter, count_photos
from tests.support.clocks import SetClock
from tests.support.waiting import eventually

NOW = dt.datetime(2026, 11, 23, 0, 30, tzinfo=dt.timezone(dt.timedelta(hours=1)))
HOUR = 3_600_000
LABELS = ("ant", "bee", "cat", "dog", "eel", "fox", "gnu", "hen")


class Diary:
    """A ledger that is written day by day."""

    def __init__(self, folder: Path) -> None:
        self.clock = SetClock([0, 0])
        self.ledger = Ledger(folder, lambda _: None, self.clock)
        self._model = self.ledger.register_model("m", "00", LABELS)
        self._files = 0

    def notes(self, hours_ago: float, label: str, count: int = 1) -> None:
        """Photos that came then, with this label."""
        self.clock.set_wall(round(NOW.timestamp() * 1000 - hours_ago * HOUR))
        files = [FoundFile(b"%d.jpg" % at, Version(at, 9, 9)) for at in range(self._files, self._files + count)]
        self._files += count
        self.ledger.observe(files)
        self.ledger.record([self._answer(job, label) for job in self.ledger.claim(count, ())])

    def _answer(self, job: Job, label: str) -> Classified:
        return Classified(job, job.version, "00", 1, 1, {label: 0.9}, self._model, Timings(1, 1, 1))


@pytest.fixture
def diary(tmp_path: Path) -> Iterator[Diary]:
    diary = Diary(tmp_path)
    yield diary
    diary.ledger.close()


@pytest.mark.usefixtures("diary")
def test_empty_ledger_has_empty_days(tmp_path: Path) -> None:
    counts = count_photos(open_for_reading(tmp_path), NOW)

    assert len(counts.days) == len(counts.totals) == DAYS
    assert counts.days[-1] == dt.date(2026, 11, 23)
    assert counts.series == ()
    assert set(counts.totals) == {0}
    assert build_chart(counts).top == 1


def test_days_begin_at_local_midnight(diary: Diary, tmp_path: Path) -> None:
    diary.notes(24 * DAYS, "dog")  # half an hour past the midnight before the first day
    diary.notes(24 * (DAYS - 1), "dog", 2)
    diary.notes(0.6, "dog", 3)  # before midnight, though after it by UTC's day
    diary.notes(0.4, "cat", 4)

    counts = count_photos(open_for_reading(tmp_path), NOW)
    assert dict(counts.series) == {"dog": (2, *[0] * 11, 3, 0), "cat": (*[0] * 13, 4)}
    assert counts.totals == (2, *[0] * 11, 3, 4)


def test_rare_labels_are_counted_together(diary: Diary, tmp_path: Path) -> None:
    for count, label in enumerate(LABELS, start=1):
        diary.notes(0.1, label, count)

    series = count_photos(open_for_reading(tmp_path), NOW).series
    assert [label for label, _ in series] == ["hen", "gnu", "fox", "eel", "dog", "other labels"]
    assert series[-1][1][-1] == 1 + 2 + 3


def test_new_results_are_counted_at_once(diary: Diary, tmp_path: Path) -> None:
    counter, db = DailyCounter(), open_for_reading(tmp_path)
    diary.notes(0.1, "dog")
    assert counter.counts(db, NOW).totals[-1] == 1
    diary.notes(0.1, "dog")
    eventually(lambda: counter.counts(db, NOW).totals[-1] == 2, "the second photo is counted")
    assert counter.counts(db, NOW + dt.timedelta(days=1)).totals[-2:] == (2, 0)


def test_chart_scale_is_round_and_above_bars(diary: Diary, tmp_path: Path) -> None:
    diary.notes(0.1, "dog", 130)
    diary.notes(0.1, "cat", 30)
    drawn = build_chart(count_photos(open_for_reading(tmp_path), NOW))

    assert drawn.top == 200
    assert drawn.bars[-1].description == "Monday 23 November: 130 dog, 30 cat"
    dog, cat = drawn.bars[-1].segments
    assert cat.y + cat.height == pytest.approx(dog.y, abs=0.2)
    assert (dog.height + cat.height) / 0.8 == pytest.approx(150 - 8 - 20, abs=0.5)
