"""The words of the field on a page, each with a line for people who do not know it."""

from collections.abc import Iterable
from html import escape

_WORDS = {
    "top-1": "the share of the photos whose first answer is the right label, also called accuracy",
    "95 % interval": "how far a share of so few photos may lie from what it would be with very many",
    "recall": "of the photos of one label, the share that is answered with it",
    "macro recall": "the mean of the labels' recalls: each label counts the same, however many photos it has",
    "calibration error": "how far probabilities lie, on average, from how often they are right: with 0.05, of answers "
    "with a probability of 0.90 about 85 or 95 in 100 are right",
    "temperature": "what makes probabilities less sure, so that .9 means right nine times in ten",
    "cross-validation": "the photos are divided into parts, and each part is judged by a model that was trained on the "
    "others: every photo is judged, and none by a model that has seen it",
    "confusion matrix": "a row for each label, and in it how many of its photos got which answer; what is off the "
    "diagonal is wrong",
    "agreement": "the share of the photos to which the model that is written gives the same label as the larger one "
    "that was trained",
    "McNemar's test": "whether two models are right about so different photos that chance does not explain it",
    "float32": "how a model computes as it is trained; exact, and slow on small machines",
    "int8": "the small and fast form of a model, which computes in whole numbers from -128 to 127",
}

TRAINING = ("top-1", "95 % interval", "recall", "macro recall", "calibration error", "temperature", "cross-validation",
            "confusion matrix", "agreement", "float32", "int8")  # fmt: skip
JUDGEMENT = ("top-1", "95 % interval", "recall", "macro recall", "calibration error", "confusion matrix")
CONVERSION = ("top-1", "95 % interval", "recall", "macro recall", "calibration error", "confusion matrix", "agreement",
              "McNemar's test", "float32", "int8")  # fmt: skip


def render_glossary(words: Iterable[str]) -> str:
    """Return an element that explains these words, folded until it is opened."""
    rows = "".join(f"<dt><b>{escape(word)}</b></dt><dd>{escape(_WORDS[word])}</dd>" for word in words)
    return f"<details><summary>What these words mean</summary><dl>{rows}</dl></details>"
