"""What is put on the shelf, what stays there, and which model is chosen."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from dogid.clock import Clock
from dogid.daemon.model_switch import ModelSwitch
from dogid.errors import ConflictError, UsageError
from dogid.model.model_file import InputOptions
from dogid.model.shipped import shipped_model
from dogid.preprocessing import parse_normalisation
from dogid.settings import Settings
from dogid.shelf.folder import models_on_shelf, put_on_shelf
from dogid.shelf.listing import describe_origin, list_models
from dogid.shelf.open_model import Origin, choose_model, find_model
from dogid.shelf.pointer import Entry, Pointer
from tests.shelf.models import make_model
from tests.support.photos import put


@pytest.fixture
def chosen(tmp_path: Path) -> Settings:
    return Settings(state=tmp_path / "state")


def switch_of(chosen: Settings) -> ModelSwitch:
    """What changes the shelf without a daemon."""
    return ModelSwitch(chosen.state, Clock(), lambda: chosen, lambda _, commit: commit())


def add(chosen: Settings, name: str) -> str:
    """Put a model of its own content on the shelf; return its name there."""
    made = make_model(chosen.state.parent / "made.tflite", name)
    return put_on_shelf(chosen.state, name, made.read_bytes(), str(made)).name


def names(chosen: Settings) -> list[str]:
    return [path.name for path in models_on_shelf(chosen.state)]


def test_rollbacks_go_back_one_after_the_other_to_the_shipped_model(chosen: Settings) -> None:
    switch = switch_of(chosen)
    for name in ("a", "b", "a", "c"):
        switch.activate(add(chosen, name))
    make_model(chosen.state / "models" / "c.tflite", "another")
    (chosen.state / "models" / "c.shelf.json").unlink()
    switch.activate("c")  # another file by then: there is no way back to the one before
    seen = []
    while find_model(chosen).origin is Origin.ACTIVATED:
        seen.append(find_model(chosen).path.name)
        switch.roll_back()

    assert seen == ["c.tflite", "a.tflite", "b.tflite"]
    with pytest.raises(ConflictError, match="nothing to go back to"):
        switch.roll_back()


def test_five_newest_and_all_that_can_be_gone_back_to_are_kept(chosen: Settings) -> None:
    switch = switch_of(chosen)
    users = make_model(chosen.state / "models" / "users.tflite")
    put_on_shelf(chosen.state, users.name, users.read_bytes(), "a test", options=InputOptions(size=9))  # only noted
    switch.activate(add(chosen, "first"))
    for number in range(7):
        add(chosen, f"learned{number}")
    switch.activate("learned6")

    assert names(chosen) == ["first.tflite", *(f"learned{number}.tflite" for number in range(2, 7)), "users.tflite"]
    assert not list((chosen.state / "models").glob("learned0*"))


def test_taken_names_get_the_hash_and_the_shipped_name_stays_free(chosen: Settings) -> None:
    first, again = add(chosen, "mine"), put_on_shelf(chosen.state, "mine", b"other", "a test").name
    shipped = put_on_shelf(chosen.state, "dogid.tflite", shipped_model().read_bytes(), "a test").name

    assert (first, again[:5], len(again)) == ("mine.tflite", "mine-", len("mine-12345678.tflite"))
    assert shipped.startswith("dogid-")
    assert put_on_shelf(chosen.state, "../../x y\0", b"x", "a test").parent == chosen.state / "models"


def test_labels_and_input_beside_a_model_stay_with_it(chosen: Settings) -> None:
    options = InputOptions(parse_normalisation("10/20"), "bgr", None)
    labels = ("1 euro", "2 euro", "a", "b")
    content = make_model(chosen.state.parent / "made.tflite").read_bytes()
    put_on_shelf(chosen.state, "coins", content, "a test", labels=labels, options=options)
    switch_of(chosen).activate("coins")

    opened = choose_model(chosen)

    assert opened.model.labels == labels
    assert opened.found.options == options
    assert opened.model.file.channels == "bgr"


@pytest.mark.parametrize("left", [0, 1_000, -300])
def test_damaged_model_is_named_and_written_again(chosen: Settings, left: int) -> None:
    content = make_model(chosen.state.parent / "made.tflite", "learned").read_bytes()
    path = put_on_shelf(chosen.state, "learned", content, "dogid learn, from a test", passed=False)
    put(path, content[:left])

    listed = next(model for model in list_models(chosen.state) if model.name == path.name)

    assert (listed.passed, str(listed.problem)[:11]) == (None, "was damaged")
    with pytest.raises(UsageError, match=r"learned\.tflite: was damaged .* delete it and run dogid learn again"):
        switch_of(chosen).activate("learned")
    assert put_on_shelf(chosen.state, "learned", content, "dogid learn, from a test", passed=False) == path
    assert path.read_bytes() == content
    listed = next(model for model in list_models(chosen.state) if model.name == path.name)
    assert (listed.passed, listed.problem) == (False, None)


def test_damaged_model_whose_name_has_its_hash_is_written_again(chosen: Settings) -> None:
    add(chosen, "mine")
    path = put_on_shelf(chosen.state, "mine", b"other", "a test")
    put(path, b"\0" * 1_000)

    assert put_on_shelf(chosen.state, "mine", b"other", "a test") == path
    assert path.read_bytes() == b"other"


def test_every_listed_name_can_be_set(chosen: Settings) -> None:
    path = chosen.state / "models" / add(chosen, "mine.v1")
    options = InputOptions(parse_normalisation("10/20"), "bgr", None)
    put_on_shelf(chosen.state, "mine.v1", path.read_bytes(), "a test", options=options)

    for name in ("mine.v1", "mine.v1.tflite"):
        found = find_model(replace(chosen, model=Path(name)))
        assert (found.path, found.options, found.origin) == (path, options, Origin.SET)
    assert find_model(replace(chosen, model=Path("dogid.tflite"))).path == shipped_model()
    assert find_model(replace(chosen, model=Path("none.tflite"))).path == Path("none.tflite")


@pytest.mark.parametrize("harm", ["missing", "changed", "replaced", "pointer"])
def test_broken_shelf_falls_back_and_says_so(chosen: Settings, harm: str) -> None:
    switch = switch_of(chosen)
    switch.activate(add(chosen, "mine"))
    path = chosen.state / "models" / ("active.json" if harm == "pointer" else "mine.tflite")
    if harm == "missing":
        path.unlink()
    elif harm == "replaced":
        make_model(path, "another one that works")
    else:
        put(path, path.read_bytes()[:-2])

    opened = choose_model(chosen)

    assert opened.found.origin is Origin.SHIPPED
    assert str(path) in str(opened.found.problem)
    listed = list_models(chosen.state)
    assert [model.active for model in listed] == [True, *[False] * (len(listed) - 1)]
    switch.activate(add(chosen, "next"))
    assert find_model(chosen).problem is None


def test_pointer_leads_to_no_file_outside_the_shelf(chosen: Settings) -> None:
    entry = {"name": "../secret.tflite", "sha256": "0", "at": ""}
    put(chosen.state / "models" / "active.json", json.dumps({"format": 1, "active": entry, "former": []}).encode())

    assert "is no name on the shelf" in str(find_model(chosen).problem)


def test_named_model_goes_before_the_active_one(chosen: Settings) -> None:
    switch_of(chosen).activate(add(chosen, "mine"))
    named = replace(chosen, model=shipped_model())

    assert find_model(named).origin is Origin.SET
    with pytest.raises(UsageError, match="the setting `model` names"):
        switch_of(named).roll_back()


@pytest.mark.parametrize(
    ("provenance", "said"),
    [
        ({"parent": {"file": "dogid.tflite"}, "corrections": ["0", "1"]}, "dogid.tflite and 2 corrections"),
        ({"parent": {"file": "dogid.tflite"}, "corrections": ["0"]}, "dogid.tflite and 1 correction"),
        ({"trained_on": {"photos": 30, "data_version": "0123456789"}, "graph": {"file": "a.pb"}}, "30 photos (version"),
        ({"graph": {"file": "a.pb"}}, "a.pb"),
        ({"parent": 5, "trained_on": "x", "graph": []}, "unknown"),
        (None, "unknown"),
    ],
)
def test_what_a_model_was_made_from_is_said(provenance: object, said: str) -> None:
    assert describe_origin({"provenance": provenance}).startswith(said)


def test_pointer_remembers_no_more_than_five_before() -> None:
    pointer = Pointer()
    for number in range(20):
        pointer = pointer.activate(Entry(f"{number}.tflite", "0", ""))

    assert [entry and entry.name for entry in pointer.former] == [f"{number}.tflite" for number in range(18, 13, -1)]
    for _ in range(5):
        pointer = pointer.roll_back()
    assert pointer.roll_back() == Pointer()
