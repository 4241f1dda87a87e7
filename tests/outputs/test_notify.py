"""Messages by Apprise, as a mail server and HTTP services on this machine receive them."""

import json
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from dogid.outputs.notify import Notify, make_output
from dogid.outputs.notify_child import hide_secrets
from dogid.outputs.output import OutputConfigError, OutputContext, OutputError, RefusedError
from tests.outputs.certificates import NEEDS_OPENSSL, make_certificate
from tests.outputs.deliveries import make_context, make_delivery, send
from tests.outputs.http_receiver import Handler, Receiver, receiving, reply, reply_in_turn
from tests.outputs.mail_receiver import receiving_mail
from tests.support.ports import claim_port


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving(reply(200, b"{}")) as made:
        yield made


def make(folder: Path, url: str, context: OutputContext | None = None, **others: Any) -> Notify:
    (folder / "url").write_text(f"{url}\n")
    return make_output({"url_file": str(folder / "url"), "pause": 0, **others}, context or make_context(folder))


def fault(output: Notify) -> OutputError:
    with pytest.raises(OutputError) as raised:
        output.send([make_delivery()], lambda _: None)
    return raised.value


def test_mail_has_text_and_thumbnail(tmp_path: Path) -> None:
    with receiving_mail() as mailbox:
        body = "{name}: {label} in {folder} ({count}), rule {rule}; {{{id}}}\n{link}"
        output = make(tmp_path, _mailto(mailbox.port), title="{label}: {file}", body=body)
        strange = make_delivery(2, file="gate/a\nBcc: x@y.z.jpg", label="pug <b>", count=3)

        assert send(output, [make_delivery(1), strange]) == [2]
        mailbox.answer = lambda: "554 not <you@here.org> today"
        refusal = str(fault(output))

    mail = mailbox.mails[1]
    assert mail["subject"] == r"pug <b>: a\nBcc: x@y.z.jpg"
    assert mail["bcc"] is None
    text = mail.get_body(("plain",))
    assert text is not None
    assert text.get_content().replace("\r\n", "\n").strip() == (
        "barn: pug <b> in gate (3), rule dogs; {0a1b2c3d-2}\nhttp://127.0.0.1:8000/page/photo/2"
    )
    [photo] = mail.iter_attachments()
    assert photo.get_content()[:2] == b"\xff\xd8"
    assert "554" in refusal


def _mailto(port: int) -> str:
    return f"mailto://127.0.0.1:{port}/?from=dogid@here.org&to=you@here.org"


@NEEDS_OPENSSL
def test_own_authority_is_accepted_for_mail_and_http(tmp_path: Path) -> None:
    certificate, both = make_certificate(tmp_path)
    with receiving_mail(certificate=both) as mailbox, receiving(reply(200, b"{}"), certificate=both) as receiver:
        mail = f"mailtos://localhost:{mailbox.port}/?mode=starttls&from=dogid@here.org&to=you@here.org"
        unknown = str(fault(make(tmp_path, mail, thumbnail=False)))
        assert send(make(tmp_path, mail, ca_file=str(certificate)), [make_delivery()]) == [1]
        http = make(tmp_path, receiver.url.replace("https://", "jsons://"), ca_file=str(certificate))
        assert send(http, [make_delivery()]) == [1]

    assert "certificate verify failed" in unknown
    assert "ca_file" in unknown
    assert (len(mailbox.mails), len(receiver.requests)) == (1, 1)
    assert "ca_file: " in str(fault(make(tmp_path, mail, ca_file=str(tmp_path / "none"))))


def test_ntfy_gets_message_and_thumbnail(tmp_path: Path, receiver: Receiver) -> None:
    url = receiver.url.replace("http://", "ntfy://me:sesame@") + "topic"
    output = make(tmp_path, url, title="{label} {score}", body="{file}, {link}")
    send(output, [make_delivery()])
    made_up = make_delivery(is_test=True)
    made_up.result["id"] = None
    send(output, [made_up])

    request, test = receiver.requests
    said = parse_qs(urlsplit(request.path).query)
    assert urlsplit(request.path).path == "/topic"
    assert said["title"] == ["pug 88 %"]
    assert said["message"] == ["rex.jpg, http://127.0.0.1:8000/page/photo/1"]
    assert request.body[:2] == b"\xff\xd8"
    said = parse_qs(urlsplit(test.path).query)
    assert (said["title"], said["message"]) == (["Test: pug 88 %"], ["rex.jpg, http://127.0.0.1:8000/"])


def test_messages_before_a_refused_one_are_acknowledged(tmp_path: Path, receiver: Receiver) -> None:
    receiver.answer = reply_in_turn(reply(200), reply(200), reply(413), reply(200))
    output, acknowledged = make(tmp_path, _json(receiver), thumbnail=False, title=""), list[int]()

    with pytest.raises(RefusedError, match=r"^JSON: .*error=413"):
        output.send([make_delivery(number) for number in range(1, 5)], acknowledged.append)

    assert acknowledged == [2]
    assert json.loads(receiver.requests[0].body)["attachments"] == []


def _json(receiver: Receiver) -> str:
    return receiver.url.replace("http://", "json://me:sesame@") + "hidden-path"


def test_service_that_does_not_accept_is_tried_again(tmp_path: Path, receiver: Receiver) -> None:
    receiver.answer = reply(401)

    error = fault(make(tmp_path, _json(receiver)))

    assert not isinstance(error, RefusedError)
    assert "error=401" in str(error)


def test_reasons_show_nothing_secret(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for url, reason in [
        (f"json://me:sesame@127.0.0.1:{claim_port()}/hidden-path", "JSON: .*Connection refused"),
        ("jsons://me:sesame@nowhere.invalid/hidden-path", "JSON: .*nowhere.invalid.*Name or service not known"),
        ("nonsense://me:sesame@hidden-path", "Apprise: knows no service"),
        ("json://a/ json://b/", "url_file: .*make an output of each"),
    ]:
        error = str(fault(make(tmp_path, url)))
        assert re.match(reason, error)
        assert "sesame" not in error
        assert "hidden" not in error
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("url", "text", "shown"),
    [
        ("tgram://123:ABCdef/99", "posting to 123:ABCdef", "posting to ***:***"),
        ("json://me:p%40ss@host.org/a-key?k=word", "host.org p@ss p%40ss a-key word", "host.org *** *** *** ***"),
    ],
)
def test_parts_of_addresses_are_hidden(url: str, text: str, shown: str) -> None:
    assert hide_secrets(text, url) == shown


def test_check_names_the_service_and_sends_nothing(tmp_path: Path, receiver: Receiver) -> None:
    assert make(tmp_path, _json(receiver)).check().startswith("an address of JSON")
    assert receiver.requests == []
    assert "apprise" not in sys.modules  # in its own process only


def test_service_that_hangs_is_given_up_at_a_stop(tmp_path: Path, receiver: Receiver) -> None:
    stopping = threading.Event()

    def hang(handler: Handler) -> None:
        stopping.set()
        handler.receiver.done.wait()

    receiver.answer = hang

    assert str(fault(make(tmp_path, _json(receiver), make_context(tmp_path, stopping=stopping)))) == "JSON: dogid stops"


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({}, "url_file: is missing"),
        ({"url_file": "a", "title": "{labl}"}, "title: {labl} is no placeholder; known: label, score"),
        ({"url_file": "a", "body": "{label.__class__}"}, "body: {label.__class__} is no placeholder"),
        ({"url_file": "a", "thumbnail": "yes"}, 'thumbnail: "yes" is not valid: must be true or false'),
    ],
)
def test_wrong_settings_name_the_key(tmp_path: Path, table: dict[str, object], message: str) -> None:
    with pytest.raises(OutputConfigError) as raised:
        make_output(table, make_context(tmp_path))
    assert str(raised.value).startswith(message)


def test_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)

    with pytest.raises(OutputConfigError, match=r"needs the package Apprise: .*pip install -e '\.\[notify\]'$"):
        make(tmp_path, "json://localhost/")
