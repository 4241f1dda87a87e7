"""A RESULT as a row of a spreadsheet: CSV by RFC 4180, in UTF-8, that no spreadsheet takes for formulas."""

import csv
import io
import json
from collections.abc import Callable, Iterable
from typing import Any

from dogid.result_document import Result

MEDIA_TYPE = "text/csv; charset=utf-8; header=present"

_MARK = "'"
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", _MARK)  # noqa: RUF001
"""What makes spreadsheets read a cell as a formula, and the mark itself: without one mark, a marked cell is as it was.

Source: https://owasp.org/www-community/attacks/CSV_Injection.
"""


def camera_of(result: Result) -> str:
    """Return the first folder of a result's file, which is the camera's by convention; empty in the inbox itself."""
    folder, slash, _ = (result["file"] or "").partition("/")
    return folder if slash else ""


def _of_review(key: str) -> Callable[[Result], Any]:
    return lambda result: None if result["reviewed"] is None else result["reviewed"][key]


def _of_error(key: str) -> Callable[[Result], Any]:
    return lambda result: None if result["error"] is None else result["error"][key]


_CELLS: dict[str, Callable[[Result], Any]] = {
    "id": lambda result: result["id"],
    "file": lambda result: result["file"],
    "camera": camera_of,
    "folder": lambda result: result["folder"],
    "taken_at": lambda result: result["taken_at"],
    "status": lambda result: result["status"],
    "label": lambda result: result["label"],
    "score": lambda result: result["score"],
    "unsure": lambda result: result["unsure"],
    "person_label": _of_review("label"),
    "person_verdict": _of_review("verdict"),
    "person": _of_review("by"),
    "person_at": _of_review("at"),
    "present": lambda result: result["present"],
    "modified_at": lambda result: result["modified_at"],
    "classified_at": lambda result: result["classified_at"],
    "width": lambda result: result["width"],
    "height": lambda result: result["height"],
    "sha256": lambda result: result["sha256"],
    "model": lambda result: result["model"],
    "scores": lambda result: json.dumps(result["scores"], ensure_ascii=False) if result["scores"] else None,
    "decode_ms": lambda result: result["timings_ms"]["decode"],
    "invoke_ms": lambda result: result["timings_ms"]["invoke"],
    "total_ms": lambda result: result["timings_ms"]["total"],
    "error_code": _of_error("code"),
    "error_message": _of_error("message"),
}
COLUMNS = tuple(_CELLS)
"""Headings: RESULT's fields, flat; the person's word; and `camera`, the first folder."""


def header_line() -> str:
    """Return the first line of a table of results."""
    return encode_rows([COLUMNS])


def list_cells(result: Result) -> list[Any]:
    """Return a result's cells, in the order of COLUMNS."""
    return [cell(result) for cell in _CELLS.values()]


def encode_results(results: Iterable[Result]) -> str:
    """Return results as lines of CSV, each with its line break."""
    return encode_rows(map(list_cells, results))


def encode_rows(rows: Iterable[Iterable[Any]]) -> str:
    """Return rows of cells as lines of CSV: null is an empty cell, and a text that looks like a formula gets a mark."""
    lines = io.StringIO()
    csv.writer(lines, lineterminator="\r\n").writerows(map(_as_cell, row) for row in rows)
    return lines.getvalue()


def defuse(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    return _MARK + text if text.startswith(_FORMULA_STARTS) else text


def restore(cell: str) -> str:
    """Return the text that `defuse` made a cell of."""
    return cell.removeprefix(_MARK)


def _as_cell(value: Any) -> Any:
    if isinstance(value, str):
        return defuse(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return value
