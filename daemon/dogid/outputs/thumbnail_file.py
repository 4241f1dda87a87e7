"""The thumbnail of a delivery as a file, for programs that an output runs."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from dogid.outputs.output import Delivery, OutputContext

_PREFIX, _SUFFIX = "thumbnail-", ".jpg"


@contextlib.contextmanager
def thumbnail_file(delivery: Delivery, context: OutputContext) -> Iterator[Path | None]:
    """A file with the delivery's thumbnail, as long as the context lasts; None where the photo has gone."""
    data = context.make_thumbnail(delivery.result)
    if data is None:
        yield None
        return
    with tempfile.NamedTemporaryFile(dir=context.folder, prefix=_PREFIX, suffix=_SUFFIX) as file:
        file.write(data)
        file.flush()
        yield Path(file.name)


def remove_thumbnails(folder: Path) -> None:
    """Remove the files that a process left which was killed meanwhile."""
    for file in folder.glob(f"{_PREFIX}*{_SUFFIX}"):
        file.unlink(missing_ok=True)
