"""Drawing by matplotlib so that the same data give the same bytes."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator

import matplotlib as mpl
from matplotlib.figure import Figure

DPI = 120


@contextlib.contextmanager
def default_style() -> Iterator[None]:
    """Draw by matplotlib's own defaults, whatever the user's matplotlibrc says, and without its messages."""
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    with mpl.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a label in letters that no font at hand has is drawn as boxes
        mpl.rcdefaults()
        yield


def encode_png(figure: Figure) -> bytes:
    """Return a figure as a PNG without the time or the name of a program."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", bbox_inches="tight", pad_inches=0.15, metadata={"Software": None})
    return buffer.getvalue()
