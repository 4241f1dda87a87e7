"""What outputs have in common that keep something of each photo in a folder: `sidecar` and `sort`."""

from dogid.outputs.files.place import OutputFolder, read_place
from dogid.outputs.output import OutputContext
from dogid.outputs.table import OutputTable


class FolderTable(OutputTable, frozen=True, kw_only=True):
    """Their keys."""

    folder: str
    all: bool = True


class FolderOutput:
    """Base of these outputs; `send` is each one's own."""

    yields_to_photos = True
    takes_tests = False
    batch = 50

    def __init__(self, table: FolderTable, context: OutputContext) -> None:
        """Set up. Raise OutputConfigError."""
        self.wants_all = table.all
        self.wants_events = not table.all
        self._folder = OutputFolder(read_place("folder", table.folder, context), context)

    def tend(self) -> float | None:
        """Do nothing."""
        return None

    def check(self) -> str:
        """Look at the folder. Raise OutputError."""
        return self._folder.check()

    def close(self) -> None:
        """Do nothing: what is open is so during a batch only."""
