"""Notices that a disk or a bucket is gone, from photos that cannot be read one after the other."""

from dogid.archive.schema import Row
from dogid.errors import DogidError, PhotoCode

# In a row, before it is the disk or the bucket that is gone, and not the photos. Lower, and a damaged folder ends a
# run; higher, and more photos get a row that the next run makes anew.
_MOST = 200


class UnreadablePhotos:
    """Counts photos in a row that could not be read. Not for several threads at once."""

    def __init__(self) -> None:
        self._in_a_row = 0

    def find_loss(self, row: Row) -> DogidError | None:
        """Count the row of the next photo; return why to end the run without it where there were too many."""
        error = row["error"]
        if error is None or error["code"] != PhotoCode.UNREADABLE:
            self._in_a_row = 0
            return None
        self._in_a_row += 1
        if self._in_a_row <= _MOST:
            return None
        return DogidError(
            f"the last {_MOST} photos could not be read ({row['file']}: {error['message']}): is the disk or the bucket"
            " gone? What was finished is kept; run the same command again"
        )
