"""A conversion's report as one HTML file: confusion matrices as pictures, largest differences as thumbnails."""

import base64
import io
from html import escape

from PIL import Image

from dogid.errors import PhotoError
from dogid.evaluation.compare import Accuracies
from dogid.evaluation.confusion_html import CONFUSION_STYLE, render_confusion
from dogid.photo.decode import decode
from dogid_convert.conversion.photo_differences import PhotoDifference
from dogid_convert.conversion.report import Report
from dogid_convert.conversion.report_text import describe_verdict, format_mcnemar, format_report

_THUMBNAIL = (128, 128)

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


def render_html_report(report: Report) -> str:
    """Return the whole document; it needs no other file and no network."""
    title = f"{report.graph.name} as {report.dtype}"
    parts = [f"<h1>{escape(title)}: {describe_verdict(report)}</h1>"]
    parts += [f"<p><strong>Warning:</strong> {escape(warning)}</p>" for warning in report.warnings]
    parts.append(f'<pre tabindex="0">{escape(format_report(report))}</pre>')
    if report.accuracies is not None:
        parts.append(_confusion(report.accuracies, report.dtype))
    if report.differences:
        parts.append("<h2>Where they differ most</h2><p>Photos not used to calibrate. First what float32 says, then ")
        parts.append(f"what {escape(report.dtype)} says; other labels in red.</p>")
        parts.append(f'<div class="photos">{"".join(map(_thumbnail, report.differences))}</div>')
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}{CONFUSION_STYLE}</style>"
    )
    return f'<!doctype html><html lang="en"><head>{head}</head><body><main>{"".join(parts)}</main></body></html>\n'


def _confusion(accuracies: Accuracies, dtype: str) -> str:
    both = (("float32", accuracies.float_model), (dtype, accuracies.converted))
    drawn = "".join(
        f"<div><h3>{escape(name)}</h3>{render_confusion(name, accuracies.labels, evaluation.confusion)}</div>"
        for name, evaluation in both
    )
    test = escape(format_mcnemar(accuracies, dtype))
    return (
        "<h2>Confusion matrices</h2><p>Rows: the true label; columns: the answer. The JSON report contains all.</p>"
        f'<div class="matrices">{drawn}</div><p>{test}</p>'
    )


def _thumbnail(difference: PhotoDifference) -> str:
    try:
        pixels = decode(difference.photo.read_bytes(), _THUMBNAIL).pixels
    except (PhotoError, OSError):  # deleted meanwhile
        return ""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=80)
    source = base64.b64encode(file.getvalue()).decode()
    name = escape(f"{difference.photo.parent.name}/{difference.photo.name}")
    differs = ' class="differs"' if difference.label != difference.float_label else ""
    before = f"{escape(difference.float_label)} {difference.float_score:.2f}"
    after = f"{escape(difference.label)} {difference.score:.2f}"
    return (
        f'<figure{differs}><img alt="{name}" title="{name}" width="128" height="128" '
        f'src="data:image/jpeg;base64,{source}"><figcaption>{before}<br><b>{after}</b></figcaption></figure>'
    )
