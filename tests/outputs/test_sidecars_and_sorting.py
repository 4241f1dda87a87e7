"""The outputs `sidecar` and `sort`: keywords and folders that follow what the model and people say."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from dogid.ledger.queries import ResultFilter, list_results
from dogid.outputs.files.sidecar import SidecarOutput, make_output, make_packet
from dogid.outputs.files.sort import make_output as make_sort
from dogid.outputs.output import OutputConfigError, OutputError, RefusedError
from tests.outputs.deliveries import make_context, make_delivery, send
from tests.outputs.support import OutputRig
from tests.support.waiting import eventually

_LI = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}li"


def keywords(path: Path) -> list[str | None]:
    return [found.text for found in ET.fromstring(path.read_bytes()).iter(_LI)]


@pytest.fixture
def sidecars(tmp_path: Path) -> SidecarOutput:
    (tmp_path / "xmp").mkdir()
    context = make_context(tmp_path / "state/outputs/it", inbox=tmp_path / "inbox")
    return make_output({"folder": str(tmp_path / "xmp")}, context)


def test_sidecar_mirrors_the_inbox_and_follows_the_words(sidecars: SidecarOutput, tmp_path: Path) -> None:
    delivery = make_delivery(1)
    send(sidecars, [delivery, make_delivery(2, file="b.jpg", is_test=True)])
    assert keywords(tmp_path / "xmp/gate/rex.jpg.xmp") == ["pug", "dogid|pug"]
    said = {"label": "wolf", "verdict": "labelled", "by": "anna", "at": "2026-11-29T00:00:00.000Z"}
    send(sidecars, [make_delivery(3, result=delivery.result | {"reviewed": said})])

    assert keywords(tmp_path / "xmp/gate/rex.jpg.xmp") == ["wolf", "dogid|wolf"]
    assert [path.name for path in (tmp_path / "xmp").rglob("*.*")] == ["rex.jpg.xmp"]


@pytest.mark.parametrize("label", ['<&>"]]>', "a|b/c", "x\ny\0\x1b", "é🐕", "\ufffe"])
def test_any_label_makes_well_formed_xml(label: str) -> None:
    subject, branch = (found.text for found in ET.fromstring(make_packet(label)).iter(_LI))

    assert subject is not None
    assert branch is not None
    assert subject.replace("\ufffd", "?") == "".join("?" if letter in "\0\x1b\ufffe" else letter for letter in label)
    assert branch.count("|") == 1


@pytest.mark.parametrize(
    "text",
    [
        '<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="XMP Core 4.4.0-Exiv2"/>',
        make_packet("cat").replace("<dc:subject>", "<xmp:Rating>5</xmp:Rating><dc:subject>"),
        "",
    ],
)
def test_sidecar_of_another_program_is_kept(sidecars: SidecarOutput, tmp_path: Path, text: str) -> None:
    path = tmp_path / "xmp/gate/rex.jpg.xmp"
    path.parent.mkdir()
    path.write_text(text)

    with pytest.raises(RefusedError, match="written by another program: move it away"):
        send(sidecars, [make_delivery(1)])
    assert path.read_text() == text


def test_sidecars_never_follow_links(sidecars: SidecarOutput, tmp_path: Path) -> None:
    folder, precious = tmp_path / "xmp", tmp_path / "precious"
    precious.write_text("mine")
    (folder / ".dogid-sidecar-it.part").symlink_to(precious)
    (folder / "a.jpg.xmp").symlink_to("nowhere")
    (tmp_path / "inbox").mkdir()
    (folder / "gate").symlink_to(tmp_path / "inbox")
    (folder / "file").touch()

    send(sidecars, [make_delivery(1, file="b.jpg")])
    refused = {"a.jpg": "another program", "gate/sub/rex.jpg": "leads out of", "file/a.jpg": "is no folder"}
    for file, reason in refused.items():
        with pytest.raises(RefusedError, match=reason):
            send(sidecars, [make_delivery(1, file=file)])
    assert precious.read_text() == "mine"
    assert os.listdir(tmp_path / "inbox") == []
    assert os.readlink(folder / "a.jpg.xmp") == "nowhere"


def test_sidecars_say_why_they_cannot_be_written(sidecars: SidecarOutput, tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="the name is too long"):
        send(sidecars, [make_delivery(1, file="x" * 252)])
    shutil.rmtree(tmp_path / "xmp")
    with pytest.raises(OutputError, match="mount its disk"):
        send(sidecars, [make_delivery(1)])
    context = make_context(tmp_path / "data/state/outputs/it", inbox=tmp_path / "inbox")
    with pytest.raises(OutputConfigError, match="holds the state folder"):
        make_output({"folder": str(tmp_path / "data")}, context)


def test_exiftool_reads_the_keywords(sidecars: SidecarOutput, tmp_path: Path) -> None:
    if shutil.which("exiftool") is None:
        pytest.skip("exiftool is missing: apt install libimage-exiftool-perl")
    send(sidecars, [make_delivery(1, label="<pug> & 'co'")])
    command = ["exiftool", "-json", "-Subject", "-HierarchicalSubject", str(tmp_path / "xmp/gate/rex.jpg.xmp")]
    (found,) = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)

    assert (found["Subject"], found["HierarchicalSubject"]) == ("<pug> & 'co'", "dogid|<pug> & 'co'")


def test_photos_are_sorted_as_they_come_and_moved_by_corrections(tmp_path: Path) -> None:
    rig = OutputRig(tmp_path)
    target = tmp_path / "sorted"
    target.mkdir()
    rig.start({"folders": {"type": "sort", "folder": str(target), "from_start": True}})
    try:
        number = rig.add("gate/1.jpg", "cat")
        rig.add("gate/2.jpg", "dog")
        eventually(lambda: (target / "cat/1.jpg").exists() and (target / "dog/2.jpg").exists(), "they are sorted")
        rig.review(number, "wolf")
        eventually(lambda: (target / "wolf/1.jpg").exists(), "it is moved")
        assert not (target / "cat/1.jpg").exists()
    finally:
        rig.close()


def test_photo_that_cannot_be_read_is_named_and_others_pass(tmp_path: Path) -> None:
    rig = OutputRig(tmp_path)
    target = tmp_path / "sorted"
    target.mkdir()
    rig.add("1.jpg")
    rig.add("2.jpg")
    results = [
        make_delivery(number, result=result)
        for number, result in enumerate(list_results(rig.readers.connection(), ResultFilter()))
    ]
    output = make_sort({"folder": str(target)}, make_context(rig.state / "outputs/it", inbox=rig.inbox))
    rig.inbox.rename(tmp_path / "unmounted")
    with pytest.raises(RefusedError, match="the inbox cannot be read: No such file"):
        send(output, results)
    (tmp_path / "unmounted").rename(rig.inbox)
    assert send(output, results) == [2]
    assert sorted(path.name for path in target.rglob("*.jpg")) == ["1.jpg", "2.jpg"]
    rig.close()
    with pytest.raises(OutputConfigError, match="holds the inbox"):
        make_sort({"folder": str(tmp_path)}, make_context(tmp_path / "elsewhere/outputs/it", inbox=rig.inbox))
