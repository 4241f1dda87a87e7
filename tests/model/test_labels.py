import pytest

from dogid.model.labels import check_count, find_repeated, parse_labels, read_label_text


@pytest.mark.parametrize(
    "text", ["cat\ndog\n", "0 cat\n1 dog\n", "0:cat\n1:dog", "1 cat\r\n2 dog\r\n\n", "\ufeff0  cat\n1  dog"]
)
def test_numbered_and_plain_lines_give_the_same_labels(text: str) -> None:
    assert parse_labels(text) == ("cat", "dog")


def test_labels_beginning_with_numbers_stay_whole() -> None:
    text = "61326 scratch mark\n61326 slot damage\n61326 0k back\n"

    assert parse_labels(text) == ("61326 scratch mark", "61326 slot damage", "61326 0k back")


def test_an_empty_line_between_labels_keeps_its_place() -> None:
    assert parse_labels("cat\n\ndog\n") == ("cat", "", "dog")


def test_a_wrong_count_shows_both_sides() -> None:
    with pytest.raises(ValueError, match=r"labels.txt has 4 labels \(a, b, c, ...\), but the model has 3 outputs"):
        check_count(["a", "b", "c", "d"], 3, "labels.txt")


def test_numbers_are_kept_where_labels_would_become_equal() -> None:
    assert parse_labels("1 euro\n2 euro\n") == ("1 euro", "2 euro")
    assert parse_labels("0 Stars\n1 Stars\n2 Stars\n") == ("0 Stars", "1 Stars", "2 Stars")


def test_what_dogid_wrote_keeps_every_number() -> None:
    text = b"01 cat\n02 dog\n"

    assert read_label_text(text, "retrained_labels.txt", ours=True) == ("01 cat", "02 dog")
    assert read_label_text(text, "labels.txt") == ("cat", "dog")


@pytest.mark.parametrize("text", ["0. a\n1. b", "0) a\n1) b", "0,a\n1,b", "0 - a\n1 - b", "0\ta\n1\tb", "1 b\n0 a"])
def test_numbers_in_every_form_give_the_order(text: str) -> None:
    assert parse_labels(text) == ("a", "b")


def test_head_of_a_table_is_left_out() -> None:
    assert parse_labels("index,name\n0,a\n1,b\n") == ("a", "b")
    assert parse_labels("Paris, France\nRome, Italy\nBonn, Germany") == (
        "Paris, France",
        "Rome, Italy",
        "Bonn, Germany",
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("class_indices.json", '{"b": 1, "a": 0}'),
        ("labels.json", '{"1": "b", "0": "a"}'),
        ("imagenet_class_index.json", '{"0": ["n01", "a"], "1": ["n02", "b"]}'),
        ("labels.json", '["a", "b"]'),
        ("label_map.pbtxt", "item {\n id: 2\n name: 'b'\n}\nitem {\n id: 1\n name: 'a'\n}"),
    ],
)
def test_tables_of_training_scripts_are_read(name: str, text: str) -> None:
    assert read_label_text(text.encode(), name) == ("a", "b")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("labels.txt", "käse".encode("latin-1"), "not UTF-8 text; convert them: iconv"),
        ("labels.json", b'{"a": 5, "b": 9}', "neither"),
        ("labels.json", b"{", "Expecting"),
        ("label_map.pbtxt", b"nothing", "no names, or no numbers"),
    ],
)
def test_unreadable_labels_have_a_reason(name: str, content: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read_label_text(content, name)


def test_text_of_windows_is_decoded() -> None:
    assert read_label_text("käse\r\nwurst\r\n".encode("utf-16"), "labels.txt") == ("käse", "wurst")


def test_labels_of_several_outputs_are_found() -> None:
    assert find_repeated(["a", "crane", "b", "crane"]) == ["crane"]
