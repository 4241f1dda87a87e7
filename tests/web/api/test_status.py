"""`/healthz` and `/metrics`, read by the programs that they are for."""

import contextlib
import functools
import os
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from dogid.daemon.daemon import Daemon
from dogid.settings import Settings
from dogid.web.app import create_app
from dogid.web.auth.access import Access
from tests.support.daemon import DaemonProcess
from tests.support.http_client import fetch, fetch_page
from tests.support.photos import photo, put
from tests.support.waiting import eventually


def figures(daemon: DaemonProcess) -> dict[tuple[str, ...], float]:
    """All samples by name and label values, as Prometheus reads them."""
    text = fetch(daemon.url, "/metrics").body.decode()
    families = text_string_to_metric_families(text)
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def count_results(figures: dict[tuple[str, ...], float]) -> float:
    """How many results were counted since the start, of whatever outcome."""
    return sum(value for key, value in figures.items() if key[0] == "dogid_results_total")


def test_healthz_of_healthy_daemon_is_ok(daemon: DaemonProcess) -> None:
    reply = eventually(
        lambda: found if (found := fetch(daemon.url, "/healthz")).status == 200 else None, "the daemon is healthy"
    )
    assert (reply.document["status"], reply.document["problem"]) == ("ok", None)


def test_metrics_count_the_photos(daemon: DaemonProcess, inbox: Path) -> None:
    for number in range(3):
        (inbox / f"{number}.jpg").write_bytes(photo(number))
    (inbox / "text.jpg").write_text("no photo")
    daemon.wait_for_all_answers(4)

    def all_are_counted() -> dict[tuple[str, ...], float] | None:  # a little after they are in the ledger
        now = figures(daemon)
        return now if count_results(now) == 4 and now["dogid_in_flight",] == 0 else None

    found = eventually(all_are_counted, "all are counted")

    assert found["dogid_photos", "classified"] == 3
    assert found["dogid_photos", "failed"] == 1
    assert found["dogid_photos", "pending"] == 0
    assert found["dogid_results_total", "unsupported", "failed"] == 1
    for stage in ("decode", "invoke", "total"):
        assert found["dogid_photo_seconds_count", stage] == 3
        assert found["dogid_photo_seconds_bucket", "+Inf", stage] == 3
        assert found["dogid_photo_seconds_sum", stage] > 0
    assert 0 < found["dogid_week_mean_score", ""] <= 1
    assert found["dogid_week_corrected", ""] == 0
    (week,) = daemon.status()["drift"]["weeks"]
    assert (week["photos"], [one["model"] for one in week["models"]]) == (3, ["dogid.tflite"])
    assert "last 7 days" in daemon.command("status").stdout
    assert "Week by week" in fetch_page(daemon.url, "/status")
    assert found["dogid_watching", daemon.status()["watcher"]["mode"]] == 1
    assert found["process_resident_memory_bytes",] > 10_000_000
    assert any(key[0] == "dogid_model_info" and "dogid.tflite" in key for key in found)


def is_dated(daemon: DaemonProcess, name: str, year: int) -> bool:
    """Whether the photo's result is that of a file of this year."""
    return str(daemon.results_by_name()[name]["modified_at"]).startswith(str(year))


def test_touched_photo_is_counted_once(daemon: DaemonProcess, inbox: Path) -> None:
    file = put(inbox / "a.jpg", photo(1))
    daemon.wait_for_answer("a.jpg")
    for year in (1971, 1972):
        moment = datetime(year, 1, 1, tzinfo=UTC).timestamp()
        os.utime(file, (moment, moment))
        eventually(functools.partial(is_dated, daemon, "a.jpg", year), "it is noticed")
    put(inbox / "b.jpg", photo(2))
    daemon.wait_for_answer("b.jpg")

    eventually(lambda: count_results(figures(daemon)) >= 2, "both are counted")
    assert count_results(figures(daemon)) == 2


def test_unreadable_ledger_gives_503(inbox: Path, tmp_path: Path) -> None:
    service = Daemon(Settings(inbox=inbox, state=tmp_path / "state"))
    asked = create_app(service, Access(None, frozenset({"localhost"})), contextlib.nullcontext).test_client()
    (tmp_path / "state" / "ledger.db").rename(tmp_path / "elsewhere.db")

    reply = asked.get("/results")

    assert reply.status_code == 503
    assert reply.get_json()["error"]["code"] == "ledger_unavailable"
