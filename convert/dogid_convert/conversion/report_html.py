"""A conversion's report as one HTML file: confusion matrices as pictures, largest differences as thumbnails."""

from html import escape

from dogid.evaluation.compare import Accuracies
from dogid.evaluation.confusion_html import render_confusion
from dogid.judging.glossary import CONVERSION, render_glossary
from dogid.judging.html_page import Picture, render_page, render_pictures
from dogid_convert.conversion.photo_differences import PhotoDifference
from dogid_convert.conversion.report import Report
from dogid_convert.conversion.report_text import describe_verdict, format_mcnemar, format_report


def render_html_report(report: Report) -> str:
    """Return the whole document; it needs no other file and no network."""
    title = f"{report.graph.name} as {report.dtype}"
    parts = [f"<h1>{escape(title)}: {describe_verdict(report)}</h1>"]
    parts += [f"<p><strong>Warning:</strong> {escape(warning)}</p>" for warning in report.all_warnings]
    figures, *others = render_elements(report)
    return render_page(title, [*parts, figures, render_glossary(CONVERSION), *others])


def render_elements(report: Report) -> list[str]:
    """Return the elements of a page about the conversion."""
    parts = [f'<pre tabindex="0">{escape(format_report(report))}</pre>']
    if report.accuracies is not None:
        parts.append(_confusion(report.accuracies, report.dtype))
    if report.differences:
        parts.append("<h2>Where they differ most</h2><p>Photos not used to calibrate. First what float32 says, then ")
        parts.append(f"what {escape(report.dtype)} says; other labels in red.</p>")
        parts.append(render_pictures([_picture(difference) for difference in report.differences]))
    return parts


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


def _picture(difference: PhotoDifference) -> Picture:
    return Picture(
        path=difference.photo,
        name=f"{difference.photo.parent.name}/{difference.photo.name}",
        above=f"{difference.float_label} {difference.float_score:.2f}",
        below=f"{difference.label} {difference.score:.2f}",
        wrong=difference.label != difference.float_label,
    )
