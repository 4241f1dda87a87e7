"""Log lines of the model that runs."""

import logging
from collections.abc import Iterable

from dogid.file_names import one_line
from dogid.model.classifier import Model
from dogid.shelf.listing import describe_origin
from dogid.shelf.open_model import FoundModel

log = logging.getLogger(__name__)


def log_model(model: Model, found: FoundModel, thresholds: Iterable[str]) -> None:
    """Log what a model is fed, what may make its answers wrong, and why it is not the active one.

    thresholds: the labels that the settings have one for.
    """
    if found.problem is not None:
        log.error("%s", found.problem)
    log.info("model %s is fed %s", model.file.name, model.input.describe())
    for warning in model.warnings:
        log.warning("%s: %s", model.file.name, warning)
    unknown = explain_unknown_thresholds(model, thresholds)
    if unknown is not None:
        log.warning("%s", unknown)


def explain_unknown_thresholds(model: Model, thresholds: Iterable[str]) -> str | None:
    """Return which labels of the settings' thresholds a model does not have: no error, as another may have them."""
    unknown = sorted(set(thresholds) - set(model.labels))
    if not unknown:
        return None
    labels = one_line(", ".join(map(repr, unknown)))
    return f"thresholds: model {model.file.name} has no such label, so they have no effect: {labels}"


def log_model_change(what: str, model: Model) -> None:
    """Log that a model has become the active one; what: how."""
    log.info("%s: model %s, made from %s", what, model.file.name, describe_origin(model.file.record))
