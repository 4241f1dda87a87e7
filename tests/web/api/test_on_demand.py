"""Photos classified on demand, while interpreters, decoders or disks hang."""

import contextlib
import dataclasses
import hashlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from dogid.conditions import ledger_hangs
from dogid.daemon.daemon import Daemon
from dogid.file_names import shown_name
from dogid.inbox.safe_open import Root, open_root
from dogid.inbox.scan import find_file
from dogid.ledger.outcomes import Classified, Timings
from dogid.model.classifier import Classifier, Model
from dogid.model.output_scores import Scores
from dogid.photo.decode import decode
from dogid.photo.pixels import DecodedPhoto, Pixels
from dogid.pipeline.in_progress import InProgress
from dogid.settings import Settings
from dogid.web.api import classify_file
from dogid.web.api.on_demand import OnDemandClassifier
from dogid.web.app import create_app
from dogid.web.auth.access import Access
from dogid.web.deadline_executor import MAX_HUNG
from dogid.web.errors import ApiError
from tests.support.expected_scores import expected_scores
from tests.support.photos import photo, put
from tests.support.waiting import eventually

SHORT, LONG = 0.2, 60.0  # seconds


@pytest.fixture
def own_daemon(inbox: Path, tmp_path: Path) -> Iterator[Daemon]:
    """A daemon that is set up, without its threads."""
    made = Daemon(Settings(inbox=inbox, state=tmp_path / "state", port=0))
    yield made
    made.ledger.close()


@pytest.fixture
def client(own_daemon: Daemon) -> FlaskClient:
    return create_app(own_daemon, Access(None, frozenset({"localhost"})), contextlib.nullcontext).test_client()


@pytest.fixture
def go_on() -> Iterator[threading.Event]:
    """What hangs waits for this."""
    event = threading.Event()
    yield event
    event.set()


def test_inbox_that_hangs_does_not_block_uploads(
    client: FlaskClient, inbox: Path, monkeypatch: pytest.MonkeyPatch, go_on: threading.Event
) -> None:
    put(inbox / "a.jpg", photo(1))
    hangs = threading.Event()

    def open_when_the_disk_answers(folder: Path) -> contextlib.AbstractContextManager[Root]:
        hangs.set()
        go_on.wait()
        return open_root(folder)

    monkeypatch.setattr(classify_file, "open_root", open_when_the_disk_answers)
    statuses: list[int] = []
    other = client.application.test_client()
    asking = threading.Thread(target=lambda: statuses.append(other.get("/?file=a.jpg").status_code))
    asking.start()
    hangs.wait()

    for _ in range(3):
        reply = client.post("/classify", data=photo(2))
        assert (reply.status_code, reply.json and reply.json["scores"]) == (200, expected_scores(photo(2)))

    go_on.set()
    asking.join()
    assert statuses == [200]


def test_file_is_found_by_its_name_as_results_show_it(client: FlaskClient, inbox: Path) -> None:
    name = b"50% zo\xeb.jpg"
    (inbox / os.fsdecode(name)).write_bytes(photo(1))
    (inbox.parent / os.fsdecode(name)).write_bytes(photo(1))

    assert client.get("/", query_string={"file": shown_name(name)}).status_code == 200
    assert client.get("/", query_string={"file": f"../{shown_name(name)}"}).status_code == 403
    assert client.get("/", query_string={"file": shown_name(name).lower()}).status_code == 404
    assert client.get("/", query_string={"file": "%2e%2e/%zo%EB.jpg"}).status_code == 404


def test_missing_inbox_is_named_instead_of_file(client: FlaskClient, inbox: Path) -> None:
    inbox.rename(inbox.with_name("away"))
    reply = client.get("/?file=a.jpg")

    assert reply.status_code == 404
    assert reply.json is not None
    assert reply.json["error"]["message"] == f"{inbox}: the inbox is missing; bring it back, or mount its disk"


def test_file_in_an_inbox_that_hangs_is_answered_with_busy(
    client: FlaskClient, own_daemon: Daemon, inbox: Path, monkeypatch: pytest.MonkeyPatch, go_on: threading.Event
) -> None:
    put(inbox / "a.jpg", photo(1))
    own_daemon.settings = dataclasses.replace(own_daemon.settings, decode_timeout=SHORT)
    monkeypatch.setattr(classify_file, "open_root", lambda _: go_on.wait())

    reply = client.get("/?file=a.jpg")

    assert reply.status_code == 503
    assert reply.json is not None
    assert reply.json["error"]["code"] == "busy"


@dataclasses.dataclass(frozen=True, slots=True)
class SlowlyLoaded(Model):
    """A model whose first interpreter takes as long to be made as a test wants."""

    go_on: threading.Event
    made: dict[Classifier, threading.Thread] = dataclasses.field(default_factory=dict)

    def classifier(self) -> Classifier:
        made = Classifier(self.file, self.backend)
        self.made[made] = threading.current_thread()
        if len(self.made) == 1:
            self.go_on.wait()
        return made


def test_interpreter_of_a_thread_that_hung_is_never_used(
    own_daemon: Daemon, monkeypatch: pytest.MonkeyPatch, go_on: threading.Event
) -> None:
    loaded = own_daemon.model
    model = SlowlyLoaded(loaded.file, loaded.backend, loaded.labels, loaded.input, go_on)
    own_daemon.running_model.model = model
    own_daemon.settings = dataclasses.replace(own_daemon.settings, decode_timeout=SHORT)
    used: list[Classifier] = []
    classify = Classifier.classify

    def classify_and_note(self: Classifier, pixels: Pixels) -> Scores:
        used.append(self)
        return classify(self, pixels)

    monkeypatch.setattr(Classifier, "classify", classify_and_note)
    classifier = OnDemandClassifier(own_daemon)

    with pytest.raises(ApiError, match="try again"), classifier.slot() as slot:
        classifier.classify(photo(1), slot)
    own_daemon.settings = dataclasses.replace(own_daemon.settings, decode_timeout=LONG)
    with classifier.slot() as slot:
        classifier.classify(photo(1), slot)
    go_on.set()
    hung, second = model.made
    eventually(lambda: not model.made[hung].is_alive(), "the thread that hung has ended")
    with classifier.slot() as slot:
        classifier.classify(photo(1), slot)

    assert hung not in used
    assert used == [second, second]


def test_state_folder_that_hangs_is_named(
    client: FlaskClient, own_daemon: Daemon, monkeypatch: pytest.MonkeyPatch, go_on: threading.Event
) -> None:
    # long enough for the photo itself, also on a busy machine
    own_daemon.settings = dataclasses.replace(own_daemon.settings, decode_timeout=1.0)
    monkeypatch.setattr("dogid.web.api.on_demand._MAX_WAIT_SECONDS", SHORT)
    monkeypatch.setattr(InProgress, "end", lambda *_: go_on.wait())  # the photo itself is done by then

    for _ in range(MAX_HUNG + 1):
        reply = client.post("/classify", data=photo(1), content_type="image/jpeg")
        assert reply.json is not None
        error = reply.json["error"]
        assert (reply.status_code, error["code"], error["message"]) == (503, "busy", ledger_hangs(own_daemon.state))
        assert reply.headers["Retry-After"]


def test_upload_beyond_the_budget_is_refused_with_both_numbers(client: FlaskClient, own_daemon: Daemon) -> None:
    own_daemon.decoder.budget.change_capacity(15_000_000)
    reply = client.post("/classify", data=photo(1, "PNG", size=(2400, 1800)))

    assert reply.status_code == 422
    assert reply.json is not None
    assert reply.json["error"]["code"] == "too_large"
    assert "15 MB are there for that" in reply.json["error"]["message"]


def test_upload_is_answered_with_busy_while_others_have_the_memory(
    client: FlaskClient, own_daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dogid.web.api.on_demand._MAX_WAIT_SECONDS", 0.01)
    budget = own_daemon.decoder.budget
    budget.change_capacity(100_000_000)  # that much is free on the machine, too
    with budget.reserve(budget.capacity):
        reply = client.post("/classify", data=photo(1, "PNG", size=(2400, 1800)))
        assert client.post("/classify", data=photo(1)).status_code == 200

    assert (reply.status_code, reply.headers["Retry-After"]) == (503, "1")
    assert client.post("/classify", data=photo(1, "PNG", size=(2400, 1800))).status_code == 200


def classify_pending(daemon: Daemon, name: str) -> None:
    """Write an answer for a photo, as the pipeline does; its row is the ledger's first."""
    found = find_file(daemon.inbox, name.encode())
    assert found is not None
    daemon.ledger.observe([found])
    (job,) = daemon.ledger.claim(1, ())
    digest = hashlib.sha256((daemon.inbox / name).read_bytes()).hexdigest()
    model = daemon.ledger.register_model("model.tflite", "ab" * 32, ["pug"])
    timings = Timings(1, 1, 1)
    daemon.ledger.record([Classified(job, job.version, digest, 64, 48, {"pug": 0.9}, model, timings)])


def test_large_file_waits_for_its_turn_in_memory(
    client: FlaskClient, own_daemon: Daemon, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classify_file, "_MAX_WAIT_SECONDS", 0.01)
    monkeypatch.setattr("dogid.web.pages.pictures._MAX_WAIT_SECONDS", 0.01)
    put(inbox / "a.jpg", photo(1))
    put(inbox / "large.jpg", photo(1) + bytes(2_000_000))
    classify_pending(own_daemon, "large.jpg")
    budget = own_daemon.decoder.budget
    budget.change_capacity(30_000_000)
    with budget.file_turn(budget.capacity):
        reply = client.get("/?file=large.jpg")
        picture = client.get("/page/thumbnail/1")
        assert client.get("/?file=a.jpg").status_code == 200

    assert (reply.status_code, reply.headers["Retry-After"]) == (503, "1")
    assert reply.json is not None
    assert reply.json["error"]["message"] == "another large file is in memory; try again"
    assert picture.status_code == 503
    assert client.get("/?file=large.jpg").status_code == 200
    assert client.get("/page/thumbnail/1").status_code == 200


def test_upload_is_in_progress_while_it_is_decoded(
    client: FlaskClient, own_daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    left: list[int] = []

    def die(*_: object) -> DecodedPhoto:
        left.append(InProgress(own_daemon.state).left_requests)
        return decode(photo(1), (224, 224))

    monkeypatch.setattr("dogid.decoding.decoder.decode", die)
    client.post("/classify", data=photo(1))
    assert left == [1]
    assert InProgress(own_daemon.state).left_requests == 0
