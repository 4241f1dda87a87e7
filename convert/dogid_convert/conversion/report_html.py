"""A conversion's report as one HTML file: confusion matrices as pictures, worst differences as thumbnails."""

import base64
import io
from html import escape

import numpy as np
from PIL import Image

from dogid.errors import PhotoError
from dogid.photo.decode import decode
from dogid_convert.conversion.report import Report
from dogid_convert.conversion.report_text import mcnemar_line, report_text, verdict
from dogid_convert.conversion.worst_photos import Difference
from dogid_convert.evaluation.compare import Accuracies
from dogid_convert.evaluation.metrics import Evaluation

_THUMBNAIL = (128, 128)
_CELL = 44  # pixels a side
_LONGEST = 18  # letters of a label beside a matrix
_SHOWN_CLASSES = 20
_SHOWN_PAIRS = 25

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
svg text { font: 12px system-ui, sans-serif; fill: var(--ink) } svg rect { stroke: var(--line) }
svg text.on { fill: #fff }
"""


def html_report(report: Report) -> str:
    """Return the whole document; it needs no other file and no network."""
    title = f"{report.graph.name} as {report.dtype}"
    parts = [f"<h1>{escape(title)}: {verdict(report)}</h1>"]
    parts += [f"<p><strong>Warning:</strong> {escape(warning)}</p>" for warning in report.warnings]
    parts.append(f'<pre tabindex="0">{escape(report_text(report))}</pre>')
    if report.accuracies is not None:
        parts.append(_confusion(report.accuracies, report.dtype))
    if report.differences:
        parts.append("<h2>Where they differ most</h2><p>Photos not used to calibrate. First what float32 says, then ")
        parts.append(f"what {escape(report.dtype)} says; other labels in red.</p>")
        parts.append(f'<div class="photos">{"".join(map(_thumbnail, report.differences))}</div>')
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style>"
    )
    return f'<!doctype html><html lang="en"><head>{head}</head><body><main>{"".join(parts)}</main></body></html>\n'


def _confusion(accuracies: Accuracies, dtype: str) -> str:
    pairs = (("float32", accuracies.float_model), (dtype, accuracies.converted))
    if len(accuracies.labels) > _SHOWN_CLASSES:
        tables = "".join(f"<div><h3>{name}</h3>{_most_confused(accuracies.labels, e)}</div>" for name, e in pairs)
        intro = f"<p>{len(accuracies.labels)} labels: those that are confused most. The JSON report holds all.</p>"
    else:
        tables = "".join(f"<div><h3>{name}</h3>{_matrix(accuracies.labels, e, name)}</div>" for name, e in pairs)
        intro = "<p>Rows: the true label; columns: the answer.</p>"
    told = escape(mcnemar_line(accuracies, dtype))
    return f'<h2>Confusion matrices</h2>{intro}<div class="matrices">{tables}</div><p>{told}</p>'


def _most_confused(labels: tuple[str, ...], evaluation: Evaluation) -> str:
    counts = np.array(evaluation.confusion)
    np.fill_diagonal(counts, 0)
    order = np.argsort(-counts, axis=None, kind="stable")[:_SHOWN_PAIRS]
    rows = [divmod(int(place), len(labels)) for place in order]
    body = "".join(
        f'<tr><td>{escape(labels[truth])}</td><td>{escape(labels[answer])}</td><td class="count">'
        f"{counts[truth, answer]} of {sum(evaluation.confusion[truth])}</td></tr>"
        for truth, answer in rows
        if counts[truth, answer]
    )
    if not body:
        return "<p>None is confused.</p>"
    return f"<table><thead><tr><th>is</th><th>answered</th><th>photos</th></tr></thead><tbody>{body}</tbody></table>"


def _matrix(labels: tuple[str, ...], evaluation: Evaluation, name: str) -> str:
    margin = _margin(labels)
    side = margin + _CELL * len(labels) + 4
    # labels above are turned and lean out to the right
    width = side + margin // 2
    drawn = []
    for row, (label, counts) in enumerate(zip(labels, evaluation.confusion, strict=True)):
        y = margin + row * _CELL
        drawn.append(f'<text x="{margin - 6}" y="{y + 27}" text-anchor="end">{_shown(label)}</text>')
        for column, count in enumerate(counts):
            drawn.append(_cell(margin + column * _CELL, y, count, sum(counts), right=row == column))
    for column, label in enumerate(labels):
        x, y = margin + column * _CELL + 26, margin - 6
        drawn.append(f'<text x="{x}" y="{y}" transform="rotate(-60 {x} {y})">{_shown(label)}</text>')
    described = (
        f"confusion matrix of {escape(name, quote=True)}: {evaluation.accuracy:.1%} of {evaluation.photos} right"
    )
    return (
        f'<svg role="img" aria-label="{described}" width="{width}" height="{side}" viewBox="0 0 {width} {side}">'
        f"{''.join(drawn)}</svg>"
    )


def _margin(labels: tuple[str, ...]) -> int:
    return 24 + 7 * min(_LONGEST, max(len(label) for label in labels))


def _shown(label: str) -> str:
    whole = escape(label)
    return whole if len(label) <= _LONGEST else f"<title>{whole}</title>{escape(label[: _LONGEST - 1])}\u2026"


def _cell(x: int, y: int, count: int, total: int, *, right: bool) -> str:
    share = count / total if total else 0.0
    colour = "0,110,80" if right else "190,20,40"
    on = ' class="on"' if share > 0.55 else ""
    return (
        f'<rect x="{x}" y="{y}" width="{_CELL}" height="{_CELL}" fill="rgba({colour},{share:.3f})"/>'
        f'<text x="{x + _CELL // 2}" y="{y + 27}" text-anchor="middle"{on}>{count or ""}</text>'
    )


def _thumbnail(difference: Difference) -> str:
    try:
        pixels = decode(difference.photo.read_bytes(), _THUMBNAIL).pixels
    except (PhotoError, OSError):  # gone since it was judged
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
