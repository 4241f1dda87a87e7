"""A conversion's report as one HTML file: confusion matrices as pictures, worst differences as thumbnails."""

import base64
import io
from html import escape

from PIL import Image

from dogid.errors import PhotoError
from dogid.photo import decode
from dogid_convert.comparison import Accuracies
from dogid_convert.conversion_report import Report
from dogid_convert.conversion_text import mcnemar_line, report_text, verdict
from dogid_convert.differences import Difference
from dogid_convert.evaluation import Evaluation

_THUMBNAIL = (128, 128)
_CELL = 44  # pixels a side
_MARGIN = 120
_SHOWN_CLASSES = 40

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 70em; padding: 0 1em; color: #222 }
pre { background: #f4f4f2; padding: 1em; overflow: auto }
.matrices, .photos { display: flex; flex-wrap: wrap; gap: 1.5em }
figure { margin: 0 } figcaption { font-size: 13px; max-width: 128px } .differs figcaption { color: #b00020 }
svg text { font: 12px system-ui, sans-serif }
"""


def html_report(report: Report) -> str:
    """Return the whole document; it needs no other file and no network."""
    title = f"{report.graph.name} as {report.dtype}"
    parts = [f"<h1>{escape(title)}: {verdict(report)}</h1>", f"<pre>{escape(report_text(report))}</pre>"]
    if report.accuracies is not None:
        parts.append(_matrices(report.accuracies, report.dtype))
    if report.differences:
        parts.append("<h2>Where they differ most</h2><p>Photos not used to calibrate; other labels in red.</p>")
        parts.append(f'<div class="photos">{"".join(map(_thumbnail, report.differences))}</div>')
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(parts)}</body></html>\n'


def _matrices(accuracies: Accuracies, dtype: str) -> str:
    if len(accuracies.labels) > _SHOWN_CLASSES:
        return f"<p>{len(accuracies.labels)} labels occur: too many for a picture; see the JSON report.</p>"
    pairs = (("float32", accuracies.float_model), (dtype, accuracies.converted))
    pictures = "".join(f"<div><h3>{name}</h3>{_matrix(accuracies.labels, e)}</div>" for name, e in pairs)
    return (
        "<h2>Confusion matrices</h2><p>Rows: the true label; columns: the answer.</p>"
        f'<div class="matrices">{pictures}</div><p>{escape(mcnemar_line(accuracies, dtype))}</p>'
    )


def _matrix(labels: tuple[str, ...], evaluation: Evaluation) -> str:
    side = _MARGIN + _CELL * len(labels) + 4
    drawn = []
    for row, (label, counts) in enumerate(zip(labels, evaluation.confusion, strict=True)):
        y = _MARGIN + row * _CELL
        drawn.append(f'<text x="{_MARGIN - 6}" y="{y + 27}" text-anchor="end">{escape(label[:16])}</text>')
        for column, count in enumerate(counts):
            drawn.append(_cell(_MARGIN + column * _CELL, y, count, sum(counts), right=row == column))
    for column, label in enumerate(labels):
        x, y = _MARGIN + column * _CELL + 26, _MARGIN - 6
        drawn.append(f'<text x="{x}" y="{y}" transform="rotate(-60 {x} {y})">{escape(label[:16])}</text>')
    return f'<svg role="img" width="{side}" height="{side}">{"".join(drawn)}</svg>'


def _cell(x: int, y: int, count: int, total: int, *, right: bool) -> str:
    share = count / total if total else 0.0
    colour = "0,110,80" if right else "190,20,40"
    text = "#fff" if share > 0.55 else "#222"
    return (
        f'<rect x="{x}" y="{y}" width="{_CELL}" height="{_CELL}" fill="rgba({colour},{share:.3f})" stroke="#ddd"/>'
        f'<text x="{x + _CELL // 2}" y="{y + 27}" text-anchor="middle" fill="{text}">{count or ""}</text>'
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
    return (
        f'<figure{differs}><img alt="{name}" title="{name}" width="128" height="128" '
        f'src="data:image/jpeg;base64,{source}"><figcaption>{escape(difference.float_label)} '
        f"{difference.float_score:.2f} &rarr; {escape(difference.label)} {difference.score:.2f}</figcaption></figure>"
    )
