"""What a run of `dogid learn` takes: memory, and processor time.

`python -m tests.benchmarks.learning_memory FOLDER` has a daemon classify photos of labelled folders with a model that
carries 2,000 stored photos; people review 1,000 of them. Then it learns, and prints the peak of its memory.
"""

import argparse
import hashlib
import json
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dogid.learning.material import select
from dogid.model.classifier import load_model
from dogid.model.head import read_head
from dogid.model.shipped import shipped_model
from dogid.model.training_embeddings import read_embeddings
from dogid.model.write_head import NewModel, write_head
from tests.benchmarks.daemon_lap import disk
from tests.support.daemon import DaemonProcess, environment
from tests.support.http_client import fetch

_PAUSE_S = 0.02  # between two looks at the memory


def write_model(target: Path, stored: int) -> Path:
    """Write the shipped model with so many of its stored photos, chosen at random."""
    model, photos = load_model(shipped_model(), embeddings=True), read_embeddings(shipped_model())
    assert photos is not None
    chosen = np.zeros(len(photos.labels), bool)
    chosen[np.random.default_rng(0).permutation(len(chosen))[:stored]] = True
    new = NewModel(read_head(model.file.data), model.labels, select(photos, chosen), (), "the shipped one, cut")
    return write_head(model, target, new).path


def prepare(folder: Path, photos: Path, stored: int, reviewed: int) -> list[str]:
    """Have a daemon classify photos, review the first of them, and return the settings as flags."""
    model = write_model(folder / "cut.tflite", stored)
    found = sorted(path for path in photos.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    unique = {hashlib.sha256(path.read_bytes()).digest(): path for path in found}
    order = np.random.default_rng(1).permutation(len(unique))
    inbox, labels = folder / "inbox", dict[str, str]()
    inbox.mkdir()
    for number, path in enumerate(np.array(list(unique.values()), object)[order]):
        name = f"{number:05}{path.suffix}"
        shutil.copy(path, inbox / name)
        labels[name] = path.parent.name
    process = DaemonProcess(inbox, folder / "state", "--model", str(model)).start()
    try:
        process.wait_for_all_answers(len(labels))
        ids = defaultdict[str, list[int]](list)
        for number, name in enumerate(labels):
            if number < reviewed:
                ids[labels[name]].append(process.wait_for_answer(name)["id"])
        for label, photos_of_label in ids.items():
            body = json.dumps({"ids": photos_of_label, "label": label}).encode()
            headers = {"Content-Type": "application/json"}
            assert fetch(process.url, "/labels", method="POST", body=body, headers=headers).status == 200
    finally:
        process.stop()
    return ["--inbox", str(inbox), "--state", str(folder / "state"), "--model", str(model)]


def main() -> None:
    """Print the peak of resident memory, the processor time and the new model's hash."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path, help="a folder of labelled folders")
    parser.add_argument("--stored", type=int, default=2000)
    parser.add_argument("--reviewed", type=int, default=1000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dogid-learning-", dir=disk()) as folder:
        flags = prepare(Path(folder), args.photos, args.stored, args.reviewed)
        peak, seconds, document = _learn(flags, Path(folder) / "report.json")
    counts = {key: document["learned_from"][key] for key in ("stored", "reviewed", "left_out")}
    print(f"{counts}: peak {peak:.0f} MB, {seconds:.1f} s of CPU; model {document['sha256'][:16]}")  # noqa: T201


def _learn(flags: Sequence[str], report: Path) -> tuple[float, float, dict[str, Any]]:
    """Return the peak of memory in MB, the processor time in seconds, and the report."""
    before, peak = resource.getrusage(resource.RUSAGE_CHILDREN), 0
    with report.open("wb") as output:
        command = [sys.executable, "-m", "dogid", "learn", *flags, "--json"]
        process = subprocess.Popen(command, stdout=output, env=environment())
        # the peak that wait(2) reports begins with this process's own
        while process.poll() is None:
            if found := re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text()):
                peak = int(found[1])
            time.sleep(_PAUSE_S)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return peak / 1024, seconds, json.loads(report.read_bytes())


if __name__ == "__main__":
    main()
