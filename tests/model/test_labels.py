import pytest

from dogid.model.labels import check_count, parse_labels


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
