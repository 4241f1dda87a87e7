"""The output `sort`: photos in folders by label, as `dogid sort` makes them; a person's correction moves a photo."""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from dogid.outputs.files.folder_output import FolderOutput, FolderTable
from dogid.outputs.output import Delivery, OutputContext, OutputError, RefusedError
from dogid.outputs.table import read_table
from dogid.result_document import Result
from dogid.sorting.placing import Kind, LinkError
from dogid.sorting.sort_report import SortReport
from dogid.sorting.sorter import Sorter


class _Table(FolderTable, frozen=True, kw_only=True):
    kind: Literal["copy", "hardlink", "symlink"] = "copy"


def make_output(table: Mapping[str, Any], context: OutputContext) -> "SortOutput":
    """Return the output. Raise OutputConfigError."""
    return SortOutput(read_table(table, _Table), context)


class SortOutput(FolderOutput):
    """Copies or links photos into the folder of their label."""

    def __init__(self, table: _Table, context: OutputContext) -> None:
        """Set up. Raise OutputConfigError."""
        super().__init__(table, context)
        self._inbox = context.inbox
        self._kind = Kind(table.kind)

    def send(self, deliveries: Sequence[Delivery], acknowledged: Callable[[int], None]) -> None:
        """Place or move the photos of the deliveries. Raise OutputError, or RefusedError for one that cannot be read.

        A photo that has changed or left since is passed over: it has another result, or none, by now.
        """
        self._folder.require()
        results = [[] if delivery.is_test else [delivery.result] for delivery in deliveries]
        if not self._sort([result for each in results for result in each]).unreadable:
            acknowledged(len(deliveries))
            return
        for number, each in enumerate(results):  # which one is it?
            acknowledged(number)
            report = self._sort(each)
            if report.unreadable:
                raise RefusedError(report.reasons[0])
        acknowledged(len(deliveries))

    def _sort(self, results: Sequence[Result]) -> SortReport:
        report = SortReport()
        try:  # open during a batch only, so that `dogid sort` can work there, too
            with Sorter(self._folder.path, self._inbox, self._kind) as sorter:
                sorter.sort(results, report)
        except LinkError as error:
            raise OutputError(f"{self._folder.path}: {error} (kind)") from error
        except BlockingIOError as error:
            raise OutputError(f"{self._folder.path}: dogid sort works there; wait for its end") from error
        except OSError as error:
            raise self._folder.explain(error, self._folder.path) from error
        except sqlite3.OperationalError as error:
            raise OutputError(f"{self._folder.path}: its list of photos cannot be written: {error}") from error
        return report
