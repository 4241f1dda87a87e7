"""A judgement as one HTML file: figures, confusion matrix, and every wrong answer with its photo."""

import math
from html import escape

from dogid.evaluation.confusion_html import render_confusion
from dogid.evaluation.metrics import ConfidenceBin
from dogid.file_names import one_line
from dogid.judging.glossary import JUDGEMENT, render_glossary
from dogid.judging.html_page import Picture, render_page, render_pictures
from dogid.judging.judgement import Judgement
from dogid.judging.judgement_text import format_judgement, percent
from dogid.quantities import count_of


def render_judgement(judgement: Judgement) -> str:
    """Return the whole document; it needs no other file and no network."""
    model = one_line(judgement.model.file.name)
    title = (
        f"{model} on {count_of(judgement.evaluation.photos, 'photo')}: {percent(judgement.evaluation.accuracy)} right"
    )
    parts = [f"<h1>{escape(title)}</h1>", f'<pre tabindex="0">{escape(format_judgement(judgement))}</pre>']
    parts.append(render_glossary(JUDGEMENT))
    parts.append("<h2>Confusion matrix</h2><p>Rows: the true label; columns: the answer.</p>")
    parts.append(f'<div class="matrices"><div>{render_confusion(model, *judgement.confusion())}</div></div>')
    parts.append("<h2>How far its probabilities can be trusted</h2>")
    parts.append(_render_bins(judgement.bins))
    if judgement.mistakes:
        parts.append("<h2>Mistakes</h2><p>The surest first. The true label, then the answer with its probability.</p>")
        parts.append(
            render_pictures([
                Picture(mistake.path, mistake.file, mistake.label, f"{mistake.predicted} {mistake.probability:.2f}")
                for mistake in judgement.mistakes
            ])
        )  # fmt: skip
    return render_page(title, parts)


def _render_bins(bins: tuple[ConfidenceBin, ...]) -> str:
    rows = "".join(
        f'<tr><td>{one.low:g} to {one.high:g}</td><td class="count">{one.photos}</td>'
        f'<td class="count">{_share(one.confidence)}</td><td class="count">{_share(one.accuracy)}</td></tr>'
        for one in bins
    )
    heads = "".join(f"<th>{name}</th>" for name in ("probability", "photos", "mean probability", "right"))
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"


def _share(value: float) -> str:
    return "" if math.isnan(value) else percent(value)
