"""`dogid export --format camtrap-dp`: a package by the standard, once a person has added what only people know."""

import csv
import json
from pathlib import Path

import pytest

from tests.exporting.answered_ledger import export
from tests.exporting.camtrap_facts import list_faults, read_table
from tests.ledger.ledger_folder import Inbox


def write_package(inbox: Inbox, folder: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Export; return what is named as missing."""
    assert export(inbox, "--format", "camtrap-dp", "-o", folder, "--json") == 0
    missing: list[str] = json.loads(capsys.readouterr().out)["missing"]
    return missing


def fill_in(folder: Path) -> None:
    """Add what the export left empty, as a person would in a spreadsheet and an editor."""
    for name, values in (
        ("deployments", {"latitude": "50.5", "longitude": "-4.25", "habitat": "wood"}),
        ("labels", {"scientificName": "Felis catus"}),
    ):
        rows = read_table(folder, name)
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8-sig") as file:
            writer = csv.DictWriter(file, rows[0].keys())
            writer.writeheader()
            writer.writerows(row | values for row in rows)
    path = folder / "datapackage.json"
    package = json.loads(path.read_text())
    package["contributors"][0]["title"] = "Anna"
    package["project"] |= {"title": "Wood", "samplingDesign": "targeted", "captureMethod": ["timeLapse"]}
    path.write_text(json.dumps(package))


def test_what_is_unknown_is_left_empty_and_named(
    answered: Inbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = write_package(answered, tmp_path / "package", capsys)

    assert missing == [
        "deployments.csv: latitude and longitude of (inbox), gate, pond",
        "media.csv, observations.csv: when 2 photos without a date in the EXIF were taken",
        "media.csv: fileMediatype of 1 file that could not be read",
        "labels.csv: the scientificName of cat, wolf, grey, or another observationType",
        "datapackage.json: project.title, project.samplingDesign, project.captureMethod, contributors",
    ]
    assert {fault for fault in list_faults(tmp_path / "package") if "missing" not in fault} == set()


def test_filled_in_package_meets_the_standard(
    answered: Inbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "package"
    assert export(answered, "--format", "camtrap-dp", "-o", folder, "--min-score", "0.55") == 0
    fill_in(folder)
    capsys.readouterr()
    assert export(answered, "--format", "camtrap-dp", "-o", folder, "--min-score", "0.55", "--json") == 0

    assert json.loads(capsys.readouterr().out)["missing"] == []
    assert list_faults(folder) == []
    deployment = read_table(folder, "deployments")[-1]
    assert (deployment["deploymentID"], deployment["latitude"], deployment["habitat"]) == ("pond", "50.5", "wood")
    assert {row["scientificName"] for row in read_table(folder, "observations")} == {"Felis catus", ""}
    package = json.loads((folder / "datapackage.json").read_text())
    assert package["taxonomic"] == [{"scientificName": "Felis catus"}]
    assert package["spatial"]["coordinates"][0] == [-4.25, 50.5]


def test_what_people_filled_in_outlives_any_filter(
    answered: Inbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_package(answered, tmp_path, capsys)
    fill_in(tmp_path)
    for name in ("deployments", "labels"):
        lines = (tmp_path / f"{name}.csv").read_text("utf-8-sig").splitlines()
        (tmp_path / f"{name}.csv").write_text(
            "\n".join([lines[0] + ",mine", *(f"{line},{name}" for line in lines[1:])])
        )
    path = tmp_path / "datapackage.json"
    taxon = {"scientificName": "Felis catus", "vernacularNames": {"eng": "cat"}}
    path.write_text(json.dumps(json.loads(path.read_text()) | {"funding": "us", "taxonomic": [taxon]}))
    before = read_table(tmp_path, "labels")
    for flags in (("--min-score", "0.8"), ("--since", "2099-01-01"), ()):
        assert export(answered, "--format", "camtrap-dp", "-o", tmp_path, *flags) == 0
        found = {row["deploymentID"] for row in read_table(tmp_path, "deployments")}
        assert found == {("--min-score", "0.8"): {"(inbox)"}, (): {"(inbox)", "gate", "pond"}}.get(flags, set())

    rows = read_table(tmp_path, "deployments")
    assert {(row["latitude"], row["habitat"], row["mine"]) for row in rows} == {("50.5", "wood", "deployments")}
    assert read_table(tmp_path, "labels") == before
    package = json.loads(path.read_text())
    assert (package["funding"], package["taxonomic"]) == ("us", [taxon])
    assert "other-deployments.csv keeps the rows of 2 cameras" in capsys.readouterr().err


def test_nothing_is_replaced_where_one_file_cannot_be(
    answered: Inbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_package(answered, tmp_path, capsys)
    (tmp_path / "observations.csv").unlink()
    (tmp_path / "observations.csv").mkdir()
    before = (tmp_path / "media.csv").read_bytes()
    assert export(answered, "--format", "camtrap-dp", "-o", tmp_path, "--min-score", "0.8") == 1

    assert "observations.csv is a folder: nothing was written" in capsys.readouterr().err
    assert (tmp_path / "media.csv").read_bytes() == before


def test_tables_of_a_european_spreadsheet_are_read(
    answered: Inbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_package(answered, tmp_path, capsys)
    rows = read_table(tmp_path, "deployments")
    with (tmp_path / "deployments.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0].keys(), delimiter=";")
        writer.writeheader()
        writer.writerows(row | {"latitude": "50,5", "longitude": " -4,25"} for row in rows)
    assert not [line for line in write_package(answered, tmp_path, capsys) if "latitude" in line]
    assert {row["longitude"] for row in read_table(tmp_path, "deployments")} == {"-4.25"}


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("datapackage.json", b"{'title'}", "is no JSON in UTF-8"),
        ("datapackage.json", b'{"sources": [{"title": "dogid"}], "project": "mine"}', "project: must be an object"),
        ("datapackage.json", b'{"sources": [{"title": "dogid"}], "contributors": ["me"]}', "contributors: must be"),
        ("labels.csv", b"label,observationType,scientificName\r\ncat,bird,Aves\r\n", "observationType of cat: bird"),
        (
            "labels.csv",
            b"label,sort\r\ncat,animal\r\n",
            "the columns label, observationType, scientific",
        ),
        ("deployments.csv", b"deploymentID\r\n\r\n,\r\ngate\r\ngate\r\n", "deploymentID: gate is there twice"),
        ("deployments.csv", b"deploymentID\r\n\xff\r\n", "cannot be read as CSV in UTF-8"),
    ],
)
def test_broken_package_is_named_and_kept(
    answered: Inbox, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: bytes, reason: str
) -> None:
    write_package(answered, tmp_path, capsys)
    (tmp_path / name).write_bytes(content)

    assert export(answered, "--format", "camtrap-dp", "-o", tmp_path) == 2
    assert f"{tmp_path / name}: {reason}" in capsys.readouterr().err
    assert (tmp_path / name).read_bytes() == content


def test_method_says_whether_a_person_or_a_model_spoke(
    answered: Inbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_package(answered, tmp_path, capsys)
    names = {row["mediaID"]: row["fileName"] for row in read_table(tmp_path, "media")}
    rows = {names[row["mediaID"]]: row for row in read_table(tmp_path, "observations")}

    def said(name: str) -> tuple[str, ...]:
        return tuple(rows[name][key] for key in ("observationType", "classificationMethod", "classifiedBy"))

    assert said("long name of a photo.jpg") == ("animal", "human", "'=anna")
    assert rows["long name of a photo.jpg"]["observationTags"] == "label:wolf, grey"
    assert said("a.jpg") == ("unknown", "human", "anna")
    assert said("alone.jpg") == ("blank", "machine", "m.tflite")
    assert rows["alone.jpg"]["classificationProbability"] == "0.9"
    assert said("broken.jpg") == ("unclassified", "", "")
    assert "waiting.jpg" not in rows


def test_folder_of_others_is_refused(answered: Inbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.txt").write_text("all of it")

    assert export(answered, "--format", "camtrap-dp", "-o", tmp_path) == 2
    assert f"{tmp_path} has other files in it" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
