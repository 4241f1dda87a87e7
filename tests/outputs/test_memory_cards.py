"""Sorted photos, sidecars and exports on a memory card, which refuses names that the inbox has."""

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest

from dogid.outputs.files.sidecar import make_output
from dogid.outputs.output import RefusedError
from dogid.sorting.placing import Kind, LinkError, claim, prepare, takes_every_name
from tests.exporting.answered_ledger import export
from tests.ledger.ledger_folder import Inbox
from tests.outputs.deliveries import make_context, make_delivery, send
from tests.sorting.sorted_photos import classify, contents, sort
from tests.support.memory_card import mounted_memory_card

_NAMES = ("gate/08:00:01.jpg", "a?.jpg", "é🐕.jpg", "pond \\.jpg", "plain.jpg")


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with mounted_memory_card(tmp_path_factory.mktemp("exfat")) as made:
        yield made


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    made = Inbox(tmp_path)
    for name in _NAMES:
        classify(made, name)
    yield made
    made.close()


def test_card_takes_sorted_photos_by_encoded_names(inbox: Inbox, card: Path) -> None:
    target = card / "sorted"
    for _ in range(2):
        assert sort(inbox, "--to", target) == 0
        encoded = ("08%3A00%3A01.jpg", "a%3F.jpg", "é🐕.jpg", "pond %5C.jpg", "plain.jpg")
        assert contents(target) == {f"pug/{name}": original for name, original in zip(encoded, _NAMES, strict=True)}
    assert sort(inbox, "--undo", target) == 0
    assert not target.exists()


def test_card_takes_exports_and_their_replacements(inbox: Inbox, card: Path) -> None:
    for _ in range(2):
        assert export(inbox, "-o", card / "out.csv") == 0
        assert export(inbox, "-o", card / "package", "--format", "camtrap-dp") == 0
        assert export(inbox, "-o", card / "out.json", "--format", "megadetector") == 0
    with (card / "out.csv").open(newline="", encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == len(_NAMES)
    assert (card / "package/datapackage.json").is_file()


def test_card_takes_sidecars_and_refuses_single_names(inbox: Inbox, card: Path, tmp_path: Path) -> None:
    (card / "xmp").mkdir()
    output = make_output({"folder": str(card / "xmp")}, make_context(tmp_path / "outputs/it", inbox=inbox.folder))

    for file in (
        "a:b.jpg",
        "a:b/c.jpg",
        "%FF.jpg",
        "%FF/c.jpg",
    ):  # the latter two are shown so: a byte that is no UTF-8
        with pytest.raises(RefusedError, match="do not take this name: rename the photo"):
            send(output, [make_delivery(1, file=file)])
    send(output, [make_delivery(1, file="gate/é🐕.jpg"), make_delivery(2, file="gate/é🐕.jpg", label="cat")])

    assert [path.name for path in (card / "xmp").rglob("*.*")] == ["é🐕.jpg.xmp"]


def test_what_a_disk_takes_is_found_out_or_an_error(card: Path, tmp_path: Path) -> None:
    assert takes_every_name(tmp_path)
    assert not takes_every_name(card)
    (tmp_path / "file").touch()
    for unusable in (tmp_path / "gone", tmp_path / "file", card / "gone"):
        with pytest.raises(OSError, match=r"\[Errno"):
            takes_every_name(unusable)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [(Kind.HARDLINK, "hard links cannot be made there: copy, or use"), (Kind.SYMLINK, "no symbolic links: copy")],
)
def test_links_refused_by_a_card_name_the_way_out(card: Path, kind: Kind, reason: str) -> None:
    (card / "1.jpg").write_text("a photo")
    with pytest.raises(LinkError, match=reason):
        prepare(kind, card, b"1.jpg", "", None, card / "part")
    assert not (card / "part").exists()


def test_card_gives_no_photo_a_name_of_another(card: Path) -> None:
    for name in ("part", "taken.jpg"):
        (card / name).write_text(name)

    assert not claim(card / "part", card / "taken.jpg")
    assert claim(card / "part", card / "free.jpg")
    assert [(card / name).read_text() for name in ("taken.jpg", "free.jpg")] == ["taken.jpg", "part"]
