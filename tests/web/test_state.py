"""`/healthz` and `/metrics`, read by the programs that they are for."""

from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.support.asking import ask
from tests.support.daemon import Daemon
from tests.support.photos import photo
from tests.support.waiting import eventually


def figures(daemon: Daemon) -> dict[tuple[str, ...], float]:
    """All samples by name and label values, as Prometheus reads them."""
    text = ask(daemon.url, "/metrics").body.decode()
    families = text_string_to_metric_families(text)
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def test_a_sound_daemon_says_so(daemon: Daemon) -> None:
    reply = eventually(
        lambda: found if (found := ask(daemon.url, "/healthz")).status == 200 else None, "the daemon is healthy"
    )
    assert reply.document["status"] == "ok"


def test_the_figures_are_those_of_the_photos(daemon: Daemon, inbox: Path) -> None:
    for number in range(3):
        (inbox / f"{number}.jpg").write_bytes(photo(number))
    (inbox / "text.jpg").write_text("no photo")
    daemon.settled(4)

    found = figures(daemon)

    assert found["dogid_photos", "classified"] == 3
    assert found["dogid_photos", "failed"] == 1
    assert found["dogid_photos", "pending"] == 0
    assert sum(value for key, value in found.items() if key[0] == "dogid_results_total") == 4
    assert found["dogid_results_total", "unsupported", "failed"] == 1
    for stage in ("decode", "invoke", "total"):
        assert found["dogid_photo_seconds_count", stage] == 3
        assert found["dogid_photo_seconds_bucket", "+Inf", stage] == 3
        assert found["dogid_photo_seconds_sum", stage] > 0
    assert found["dogid_in_flight",] == 0
    assert found["dogid_watching", daemon.status()["watcher"]["mode"]] == 1
    assert found["process_resident_memory_bytes",] > 10_000_000
    assert any(key[0] == "dogid_model_info" and "dogid.tflite" in key for key in found)
