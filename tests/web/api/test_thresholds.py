"""Thresholds per label, in the settings' file: what is unsure, everywhere it is shown, and after a reload."""

import json
import signal
from pathlib import Path

from tests.conftest import MakeDaemon
from tests.support.daemon import dogid
from tests.support.http_client import fetch
from tests.support.photos import photo, put
from tests.support.waiting import eventually


def test_answers_below_their_labels_threshold_are_unsure(make_daemon: MakeDaemon, inbox: Path, tmp_path: Path) -> None:
    put(inbox / "one.jpg", photo(1))
    put(inbox / "broken.jpg", b"no photo" * 100)
    config = tmp_path / "dogid.toml"
    config.write_text("settle = 1\n[thresholds]\nunicorn = 0.5\n")
    daemon = make_daemon("--config", str(config)).start()
    sure, failed = daemon.wait_for_classified("one.jpg", photo(1)), daemon.wait_for_status("broken.jpg", "failed")
    daemon.get("/results")  # cached before the reload
    config.write_text(f"settle = 1\n[thresholds]\n{json.dumps(sure['label'])} = 1\n")
    daemon.send(signal.SIGHUP)
    daemon.wait_for_log("reloaded: model")
    found = {result["file"]: result["unsure"] for result in daemon.get("/results")["results"]}
    uploaded = fetch(daemon.url, "/classify", method="POST", body=photo(1)).document
    # by the daemon's settings: its own have no thresholds
    eventually(lambda: "unsure" in daemon.command("results").stdout, "dogid results goes by the daemon's thresholds")
    classified = dogid("classify", "--config", str(config), str(inbox / "one.jpg")).stdout
    page = fetch(daemon.url, "/").body.decode()
    photo_page = fetch(daemon.url, f"/page/photo/{sure['id']}").body.decode()

    assert "has no such label, so they have no effect: 'unicorn'" in daemon.log_text()
    assert (sure["unsure"], failed["unsure"]) == (False, None)
    assert found == {"one.jpg": True, "broken.jpg": None}
    assert uploaded["unsure"] is True
    assert classified.rstrip().endswith("(unsure)")
    assert daemon.command("why", "one.jpg").stdout.startswith("one.jpg: classified, unsure")
    assert "unsure 100%" in daemon.command("status").stdout
    assert ">unsure</span>" in page
    assert "below the threshold of this label, 100 %" in photo_page
    for value, names in (("yes", ["one.jpg"]), ("no", [])):
        listed = daemon.get(f"/results?unsure={value}&limit=1")
        printed = json.loads(daemon.command("results", "--unsure", value, "--json").stdout)
        assert [found["file"] for found in listed["results"]] == names
        assert [found["file"] for found in printed["results"]] == names
    unknown = fetch(daemon.url, "/results?unsure=maybe")
    assert (unknown.status, "yes, no" in unknown.document["error"]["message"]) == (400, True)
    page = fetch(daemon.url, "/?unsure=yes").body.decode()
    assert ('aria-current="page"><bdi>Unsure' in page, "one.jpg" in page, "broken.jpg" in page) == (True, True, False)
    daemon.stop()
    assert "unsure" not in daemon.command("results").stdout
    assert "unsure" in daemon.command("results", "--config", str(config)).stdout


def test_wrong_threshold_is_wrong_usage_with_its_key(make_daemon: MakeDaemon, tmp_path: Path) -> None:
    config = tmp_path / "dogid.toml"
    config.write_text('[thresholds]\n"german shepherd" = 80\n')

    done = make_daemon().command("results", "--config", str(config))

    assert done.returncode == 2
    assert 'thresholds."german shepherd": 80 is not valid: must be a number from 0 to 1' in done.stderr
