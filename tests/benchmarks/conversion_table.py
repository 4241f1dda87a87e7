"""Every graph and model of the collection, converted or run: `python -m tests.benchmarks.conversion_table [FOLDER]`.

A graph (.pb) is converted to int8 with the collection's photos in a process of its own; a model (.tflite) answers the
collection's photos. FOLDER is another place of graphs and models, each with its labels beside it.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.support.collection import GRAPHS, PHOTOS

_SHARED = PHOTOS.parents[1]
_OWN = Path(__file__).resolve().parents[2] / "models" / "retrained_graph.pb"
_FORMS = {".pb", ".pbtxt", ".keras", ".h5", ".tflite"}


def files(folder: Path | None) -> list[Path]:
    """Return the graphs and models to try."""
    if folder is not None:
        return sorted(path for path in folder.rglob("*") if path.suffix in _FORMS)
    found = [path for part in ("graphs", "base", "tflite") for path in sorted((_SHARED / part).rglob("*"))]
    return [*(path for path in found if path.suffix in _FORMS), _OWN]


def row(path: Path) -> tuple[str, ...]:
    """Return what is known of one file after trying it."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        command = _run(path) if path.suffix == ".tflite" else _convert(path, Path(folder))
        done = subprocess.run([sys.executable, "-c", _MEASURED, *command], capture_output=True, text=True, check=False)
    seconds = f"{time.perf_counter() - started:.0f}"
    *_, peak = done.stderr.splitlines() or ["0"]
    outcome = (
        _read_outcome(path, done.stdout) if done.returncode in (0, 1) and done.stdout else done.stderr.splitlines()[:1]
    )
    return (path.name, {0: "yes", 1: "FAILED"}.get(done.returncode, "refused"), *outcome, seconds, peak)


_MEASURED = """
import resource, sys
from dogid.cli import main
status = main(sys.argv[1:])
sys.stdout.flush()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000, file=sys.stderr)
sys.exit(status)
"""


def _convert(path: Path, folder: Path) -> list[str]:
    labels = _SHARED / "base" / "imagenet_labels.txt"
    given = ["--labels", str(labels)] if path.parent == labels.parent else []
    return ["convert", str(path), "-o", str(folder / "m.tflite"), "--calibrate", str(PHOTOS), "--json", *given]


def _run(path: Path) -> list[str]:
    return ["classify", *map(str, sorted(path.parent.glob("*.jpg"))), "--model", str(path), "--json"]


def _read_outcome(path: Path, output: str) -> list[str]:
    document = json.loads(output)
    if path.suffix == ".tflite":
        return [", ".join(f"{one['file'].split('/')[-1]}: {one['label']}" for one in document["results"])]
    agreement, before, after = document["agreement"], document["float"], document["converted"]
    times = f"{before['milliseconds']:.1f} to {after['milliseconds']:.1f} ms"
    return [f"{agreement['share']:.2%} of {agreement['photos']}, {times}"]


def main() -> int:
    """Print the table; return 1 where a file failed, 0 where there is no collection."""
    if not (PHOTOS.is_dir() and GRAPHS.is_dir()):
        sys.stderr.write("the photo/graph collection is not beside the clone (DOGID_SHARED)\n")
        return 0
    # the children's peak is measured by themselves; this process needs next to nothing
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    rows = [row(path) for path in files(Path(sys.argv[1]) if len(sys.argv) > 1 else None)]
    sys.stdout.write("| file | works | agreement with float, or answers | s | MB |\n| --- | --- | --- | --- | --- |\n")
    sys.stdout.writelines(f"| {' | '.join(cells)} |\n" for cells in rows)
    return int(any(cells[1] != "yes" for cells in rows))


if __name__ == "__main__":
    sys.exit(main())
