"""The outputs `jsonl` and `csv`: a line for each result, for people's own programs and spreadsheets."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Annotated, Any, Literal

import msgspec

from dogid.outputs.files.place import OutputFolder, read_place
from dogid.outputs.files.record_file import RecordFile, RecordFormat, Rotation
from dogid.outputs.output import Delivery, OutputContext
from dogid.outputs.table import OutputTable, read_table
from dogid.result_table import COLUMNS, encode_rows, list_cells

_ID = rb"([0-9a-f]{8}-[0-9]+(?:-[A-Za-z0-9_-]+)?)"
_JSON_START = re.compile(rb'(?m)^\{"id": "%b", "type": "' % _ID)
_CSV_START = re.compile(rb"(?m)^%b,(?:result|review|event)," % _ID)
_DELIVERY_COLUMNS = ("delivery", "kind", "rule", "count")
_encode = json.JSONEncoder(ensure_ascii=False).encode


class _Table(OutputTable, frozen=True, kw_only=True):
    path: str
    all: bool = True
    rotate: Literal["never", "daily"] = "never"
    max_mb: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 100
    keep: Annotated[int, msgspec.Meta(ge=0, le=100_000)] = 0


def make_jsonl(table: Mapping[str, Any], context: OutputContext) -> "RecordOutput":
    """Return the output `jsonl`. Raise OutputConfigError."""
    form = RecordFormat(b"", _JSON_START, has_quotes=False)
    return RecordOutput(read_table(table, _Table), context, form, _encode_json)


def make_csv(table: Mapping[str, Any], context: OutputContext) -> "RecordOutput":
    """Return the output `csv`. Raise OutputConfigError."""
    header = encode_rows([(*_DELIVERY_COLUMNS, *COLUMNS)]).encode()
    form = RecordFormat(header, _CSV_START, has_quotes=True)
    return RecordOutput(read_table(table, _Table), context, form, _encode_csv)


class RecordOutput:
    """Appends a record for each delivery."""

    yields_to_photos = True
    takes_tests = False
    batch = 500  # records with one wait for the disk; more are sent again after a fault

    def __init__(
        self, table: _Table, context: OutputContext, form: RecordFormat, encode: Callable[[Delivery], bytes]
    ) -> None:
        """Set up, without opening the file. Raise OutputConfigError."""
        self.wants_all = table.all
        self.wants_events = not table.all
        self._path = read_place("path", table.path, context)
        self._folder = OutputFolder(self._path.parent, context)
        self._encode = encode
        rotation = Rotation(table.max_mb * 1_000_000, table.rotate == "daily", table.keep)
        self._file = RecordFile(self._path, form, rotation)

    def send(self, deliveries: Sequence[Delivery], acknowledged: Callable[[int], None]) -> None:
        """Append the deliveries, and have them on the disk. Raise OutputError."""
        self._folder.require()
        records = [(delivery.id, self._encode(delivery)) for delivery in deliveries if not delivery.is_test]
        try:
            self._file.append(records, date.today())  # noqa: DTZ011  # local days
        except OSError as error:
            raise self._folder.explain(error, self._path) from error
        acknowledged(len(deliveries))

    def tend(self) -> float | None:
        """Do nothing."""
        return None

    def check(self) -> str:
        """Look at the folder. Raise OutputError."""
        return self._folder.check()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _encode_json(delivery: Delivery) -> bytes:
    return _encode(delivery.describe()).encode(errors="replace") + b"\n"


def _encode_csv(delivery: Delivery) -> bytes:
    cells = (delivery.id, delivery.kind, delivery.rule, delivery.count, *list_cells(delivery.result))
    return encode_rows([cells]).encode(errors="replace")
