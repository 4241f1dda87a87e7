"""A page of one file, without scripts, network or other files: its frame, and pictures of photos."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from PIL import Image

from dogid.errors import PhotoError
from dogid.evaluation.confusion_html import CONFUSION_STYLE
from dogid.photo.decode import decode

MADE_BY = '<meta name="generator" content="dogid">'
"""Is at the beginning of each page: what it is not in was made by another program."""

MAX_PICTURES = 1000
"""Of one page, about 5 kB each: more, and a browser takes long to open it."""
_THUMBNAIL = (128, 128)
_JPEG_QUALITY = 80

_STYLE = """
:root { color-scheme: light dark; --ink: #222; --paper: #fff; --panel: #f4f4f2; --line: #ccc; --bad: #b00020 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e6e3; --paper: #17181a; --panel: #232528; --line: #4a4d52; --bad: #ff8a94 }
}
* { box-sizing: border-box }
body { font: 15px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 76em; padding: 0 1em;
  color: var(--ink); background: var(--paper) }
h1 { font-size: 1.5em; overflow-wrap: anywhere }
pre { background: var(--panel); padding: 1em; overflow-x: auto; font-size: 13px }
.matrices { display: flex; flex-wrap: wrap; gap: 1.5em }
.matrices > div { max-width: 100%; overflow-x: auto }
.photos { display: grid; grid-template-columns: repeat(auto-fill, minmax(136px, 1fr)); gap: 1.2em }
figure { margin: 0; font-size: 13px; overflow-wrap: anywhere } figcaption b { font-weight: 600 }
img { display: block; width: 128px; height: 128px } .differs b { color: var(--bad) }
table { border-collapse: collapse }
td, th { padding: .25em .8em; text-align: left; border-bottom: 1px solid var(--line) }
td.count { text-align: right; font-variant-numeric: tabular-nums }
"""


@dataclass(frozen=True, slots=True)
class Picture:
    """A photo on a page, with what is written under it."""

    path: Path
    name: str
    above: str
    below: str
    """Shown with weight."""
    wrong: bool = True
    """Whether `below` is shown in red."""


def render_page(title: str, parts: Sequence[str]) -> str:
    """Return the whole document; parts are elements."""
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"{MADE_BY}<title>{escape(title)}</title><style>{_STYLE}{CONFUSION_STYLE}</style>"
    )
    return f'<!doctype html><html lang="en"><head>{head}</head><body><main>{"".join(parts)}</main></body></html>\n'


def render_pictures(pictures: Sequence[Picture]) -> str:
    """Return the element that shows the photos, and how many more there are than a page can show."""
    shown = "".join(map(_figure, pictures[:MAX_PICTURES]))
    more = f"<p>and {len(pictures) - MAX_PICTURES} more</p>" if len(pictures) > MAX_PICTURES else ""
    return f'<div class="photos">{shown}</div>{more}'


def _figure(picture: Picture) -> str:
    name = escape(picture.name)
    drawn = (
        f'<img alt="{name}" title="{name}" width="128" height="128" src="data:image/jpeg;base64,{source}">'
        if (source := _thumbnail(picture.path))
        else f"<p>{name}</p>"
    )
    differs = ' class="differs"' if picture.wrong else ""
    return (
        f"<figure{differs}>{drawn}<figcaption>{escape(picture.above)}<br><b>{escape(picture.below)}</b>"
        "</figcaption></figure>"
    )


def _thumbnail(photo: Path) -> str:
    """Return a JPEG in base64, "" where the photo cannot be decoded any more."""
    try:
        pixels = decode(photo.read_bytes(), _THUMBNAIL).pixels
    except (PhotoError, OSError):
        return ""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=_JPEG_QUALITY)
    return base64.b64encode(file.getvalue()).decode()
