"""`dogid bench`: measure the speed of this device, in less than a minute."""

import argparse
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from dogid import settings
from dogid.commands.output import print_json, print_line, print_table

_SETTINGS = (*settings.MODEL_SETTINGS, "workers", "max_bytes", "max_pixels")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --photos, --json, and the settings that affect speed."""
    parser.add_argument(
        "--photos", type=Path, metavar="DIR", help="measure with photos of this folder (default: synthetic ones)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    settings.add_flags(parser, _SETTINGS)


def run(args: argparse.Namespace) -> int:
    """Measure decoding, inference, and throughput and latency from inbox to result; print the figures."""
    document = _measure(settings.load(args), args.photos)
    if args.json:
        print_json(document)
    else:
        _print(document)
    return 0


def _measure(chosen: settings.Settings, folder: Path | None) -> dict[str, Any]:
    import os
    import tempfile

    from dogid.benchmark.measures import folder_cost, photo_cost
    from dogid.benchmark.photos import folder_sample, synthetic_samples
    from dogid.photo.decode import limit_pixels
    from dogid.shelf.open_model import find_model, open_model

    limit_pixels(chosen.max_pixels)
    found = find_model(chosen)
    # the measured daemon has a state folder of its own
    chosen = replace(chosen, model=found.path, labels=found.labels, **asdict(found.options))
    model = open_model(chosen)
    samples = synthetic_samples() if folder is None else [folder_sample(folder, chosen.max_bytes)]
    classifier = model.classifier()
    rows = []
    for sample in samples:
        cost = photo_cost(sample, classifier)
        rows.append({
            "name": sample.name, "photos": len(sample.photos), "mean_bytes": sample.mean_bytes,
            "decode_ms": round(cost.decode, 3), "invoke_ms": round(cost.invoke, 3),
        })  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="dogid-bench-") as temporary:
        end_to_end = folder_cost(samples[0], chosen, Path(temporary))
    return {
        "model": {"name": model.file.name, "sha256": model.file.sha256, "backend": model.backend.module},
        "cores": len(os.sched_getaffinity(0)),
        "samples": rows,
        "folder": {
            "sample": samples[0].name, "photos": end_to_end.photos, "per_second": round(end_to_end.per_second, 1),
            "latency_ms": {"p50": round(end_to_end.p50_ms, 1), "p99": round(end_to_end.p99_ms, 1)},
        },
    }  # fmt: skip


def _print(document: dict[str, Any]) -> None:
    model, folder = document["model"], document["folder"]
    print_line(f"{model['name']} by {model['backend']}, {document['cores']} cores\n")
    table = [["photos", "size", "decode", "invoke"]]
    for row in document["samples"]:
        size, decode, invoke = f"{row['mean_bytes'] / 1000:.0f} kB", row["decode_ms"], row["invoke_ms"]
        table.append([row["name"], size, f"{decode:.1f} ms", f"{invoke:.1f} ms"])
    print_table(table)
    latency = folder["latency_ms"]
    print_line(
        f"\nfrom inbox to result ({folder['sample']}): {folder['per_second']:.0f} photos/s from a backlog;"
        f" latency of one photo {latency['p50']:.1f} ms (p99 {latency['p99']:.1f} ms)"
    )
