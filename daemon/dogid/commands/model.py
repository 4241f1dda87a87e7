"""`dogid model show|get|try|list|activate|rollback`: what a model file is, published models, and the active one."""

import argparse
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dogid import settings
from dogid.commands import model_get, model_shelf, model_try
from dogid.commands.output import print_json, print_table
from dogid.file_names import one_line

if TYPE_CHECKING:
    from dogid.model.classifier import Model
    from dogid.model.model_file import ModelFile

_LABELS_SHOWN = 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions, each with its arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    show = actions.add_parser("show", help="print the metadata of a model file, and verify it")
    show.add_argument("file", type=Path, metavar="FILE", help="a .tflite model, or a name on the shelf")
    show.add_argument("--labels", type=Path, metavar="FILE", help="labels in a file of their own")
    show.add_argument("--json", action="store_true", help="print one JSON document")
    settings.add_flags(show, ("state", "normalisation", "channels", "size"))
    model_get.add_arguments(actions.add_parser("get", help="download a published model by name or address"))
    model_try.add_arguments(actions.add_parser("try", help="compare the answers under each usual normalisation"))
    model_shelf.add_list_arguments(actions.add_parser("list", help="show the models that there are"))
    model_shelf.add_activate_arguments(actions.add_parser("activate", help="have another model classify from now on"))
    model_shelf.add_rollback_arguments(actions.add_parser("rollback", help="go back to the model before"))


def run(args: argparse.Namespace) -> int:
    """Run the action that was chosen."""
    actions = {
        "show": _show,
        "get": model_get.run,
        "try": model_try.run,
        "list": model_shelf.run_list,
        "activate": model_shelf.run_activate,
        "rollback": model_shelf.run_rollback,
    }
    return actions[args.action](args)


def _show(args: argparse.Namespace) -> int:
    """Load the model as the daemon does, and print its metadata. Raise UsageError where the daemon would reject it."""
    from dogid.shelf.open_model import open_model

    chosen = replace(settings.load(args), model=args.file, labels=args.labels)
    document = describe(open_model(chosen, embeddings=True))
    if args.json:
        print_json(document)
    else:
        _print(document)
    return 0


def describe(model: "Model") -> dict[str, Any]:
    """Return the metadata of a loaded model, and what of it was verified."""
    file, record = model.file, model.file.record
    golden, classifier = file.golden, model.classifier()
    return {
        "file": str(file.path),
        "bytes": file.path.stat().st_size,
        "sha256": file.sha256,
        "labels": list(model.labels),
        "labels_from": file.labels_from,
        "input": asdict(model.input),
        "warnings": list(model.warnings),
        "output": classifier.output_kind,
        "network": _describe_network(file),
        "backend": model.backend.module,
        "checked": {
            "weights": "match their checksum" if "weights_sha256" in record else "unchecked: the file has no checksum",
            "golden_photo": (
                f"expected scores, within {golden.tolerance:g}" if golden else "unchecked: the file has none"
            ),
        },
        "structure": f"damaged: {file.metadata.damage}" if file.metadata.damage else "complete",
        "provenance": record.get("provenance"),
    }


def _print(document: dict[str, Any]) -> None:
    labels = document["labels"]
    more = f", ... ({len(labels)} in all)" if len(labels) > _LABELS_SHOWN else ""
    kind = document["input"]
    rows = [
        ("file", f"{document['file']} ({document['bytes']:,} bytes)"),
        ("sha256", document["sha256"]),
        ("labels", ", ".join(labels[:_LABELS_SHOWN]) + more),
        ("labels from", document["labels_from"]),
        ("input", f"{kind['width']} x {kind['height']} pixels, {kind['dtype']}, {kind['channels']}"),
        ("normalisation", f"{kind['normalisation']} ({kind['origin']})"),
        ("output", f"{document['output']['dtype']}, {document['output']['reading']}"),
        ("network", _network_text(document["network"])),
        ("backend", document["backend"]),
        ("weights", document["checked"]["weights"]),
        ("golden photo", document["checked"]["golden_photo"]),
        ("structure", document["structure"]),
    ]
    rows += [("warning", warning) for warning in document["warnings"]]
    rows += [(f"provenance: {key}", text) for key, text in _flatten(document["provenance"] or {})]
    print_table([(name, one_line(text)) for name, text in rows])


def _describe_network(file: "ModelFile") -> dict[str, Any]:
    """Return what names the network and what its embeddings are, or the reason why its last layer cannot be learned."""
    from dogid.model.last_layer import NoLastLayerError, find_last_layer

    if file.network is not None:
        return {"sha256": file.network.sha256, "width": file.network.width, "dtype": file.network.dtype, "reason": None}
    try:
        find_last_layer(file.data)
        reason = "the model is damaged"
    except NoLastLayerError as error:
        reason = str(error)
    return {"sha256": None, "width": None, "dtype": None, "reason": reason}


def _network_text(network: dict[str, Any]) -> str:
    if network["sha256"] is None:
        return f"no last layer that can be learned: {network['reason']}"
    return f"{network['sha256']}, embeddings of {network['width']} numbers, {network['dtype']}"


def _flatten(record: Any, path: str = "") -> list[tuple[str, str]]:
    """Return a nested record as rows of dotted key and text."""
    if isinstance(record, dict):
        return [row for key, value in record.items() for row in _flatten(value, f"{path}.{key}" if path else str(key))]
    text = ", ".join(map(str, record)) if isinstance(record, list) else _text_of(record, path)
    return [(path, text or "none")]


def _text_of(value: Any, path: str) -> str:
    if value is None:
        return "not measured" if path.startswith(("gate", "evaluation")) else "none"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
