"""What an archive costs besides its photos: rows per second of processor time and of the clock, and the most memory.

`python -m tests.benchmarks.archive_cost [ROWS]` lists that many made-up photos, writes results of them, finds them all
done, exports them, and brings them into a ledger, twice; each step in a process of its own.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from dogid.archive.entries import Entry, make_entry
from dogid.archive.header import make_header
from dogid.archive.manifest import read_manifest, write_manifest
from dogid.archive.outdated_rows import drop_outdated
from dogid.archive.output_folder import OutputFolder, iterate_missing, opening_output, read_output
from dogid.archive.schema import ModelFacts, Row
from dogid.settings import Settings
from tests.benchmarks.daemon_lap import disk
from tests.support.daemon import environment

_ROWS = 1_000_000
_BLOCK = 5_000
_MODEL = ModelFacts("m.tflite", "00", ("cat", "dog"), None)


def list_photos(count: int) -> Iterator[Entry]:
    """Yield entries as a bucket's listing has them."""
    for number in range(count):
        yield make_entry(
            f"camera{number % 20}/{number:09}.jpg", 1000, 1_700_000_000_000_000 + number, f'"{number:032x}"'
        )


def open_out(out: str) -> OutputFolder:
    """Open or begin the output folder."""
    header = make_header("s3://bucket", "s3://bucket", _MODEL, Settings(), embeddings=False)
    with opening_output(out, header) as (output, _):
        return output


def list_all(out: str, rows: int) -> None:
    """Write the manifest."""
    output = open_out(out)
    assert write_manifest(output.storage, output.token, list_photos(rows)).rows == rows


def write_results(out: str, rows: int) -> None:
    """Write a row for each entry."""
    output = open_out(out)
    block: list[Row] = []
    for entry in list_photos(rows):
        block.append(_make_row(entry))
        if len(block) == _BLOCK:
            output.write_rows(block)
            block = []
    if block:
        output.write_rows(block)


def find_missing(out: str, rows: int) -> None:
    """Do what a second run does before it finds nothing to do."""
    output = open_out(out)
    manifest = read_manifest(output.storage)
    assert manifest is not None
    assert drop_outdated(output, manifest, raised_limits=False) == 0
    done = output.read_done(manifest.read_ids())
    assert sum(1 for _ in iterate_missing(manifest, done.ids)) == 0
    assert done.classified == rows


def import_all(out: str, rows: int) -> None:
    """Bring all results into a ledger beside the folder."""
    from dogid.archive.importing import import_results

    state = Path(out).with_name("state")
    state.mkdir(exist_ok=True)
    done = import_results(read_output(out), state, None)
    assert done.counts.new + done.counts.known == rows


def export_all(out: str, rows: int) -> None:
    """Export all results as CSV."""
    from dogid.cli import main as dogid

    target = Path(out).with_name("results.csv")
    assert dogid(["export", "--from", out, "-o", str(target)]) == 0
    with target.open() as lines:
        assert sum(1 for _ in lines) == rows + 1


STEPS = {
    "listing": list_all,
    "writing results": write_results,
    "finding nothing missing": find_missing,
    "export as CSV": export_all,
    "import": import_all,
    "the same import again": import_all,
}


def _make_row(entry: Entry) -> Row:
    return Row(
        id=entry.id, file=entry.file, folder=entry.file.rpartition("/")[0], status="classified", label="cat",
        score=0.75, scores=[("cat", 0.75), ("dog", 0.25)], unsure=False, sha256=f"{entry.id:064x}", width=640,
        height=480, size=entry.size, modified_at=entry.modified_us, taken_at=entry.modified_us,
        exif_taken_at="2026-05-01T12:34:56", classified_at=1_700_000_000_000_000, model=_MODEL.name,
        timings_ms={"decode": 1.0, "invoke": 2.0, "total": 4.0}, error=None, embedding=None,
    )  # fmt: skip


def measure(step: str, out: Path, rows: int) -> tuple[float, float, int]:
    """Run a step in a process of its own; return its seconds, those of the processor, and the most memory in bytes."""
    command = [sys.executable, "-m", "tests.benchmarks.archive_cost", str(rows), step, str(out)]
    process = subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    printed = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    assert status == 0, step
    return float(json.loads(printed)), usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def main() -> None:
    """Print a line for each step; with a step and a folder, do that one, and print its seconds."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else _ROWS
    if len(sys.argv) > 3:
        started = time.perf_counter()
        STEPS[sys.argv[2]](sys.argv[3], rows)
        print(json.dumps(time.perf_counter() - started))  # noqa: T201
        return
    with tempfile.TemporaryDirectory(prefix="dogid-archive-", dir=disk()) as name:
        for step in STEPS:
            seconds, processor, memory = measure(step, Path(name) / "out", rows)
            print(  # noqa: T201
                f"{step:>24}: {rows / processor:9,.0f} rows per second of one core, "
                f"{rows / seconds:9,.0f} of the clock; {memory / 2**20:5.0f} MiB",
                flush=True,
            )
        size = sum(path.stat().st_size for path in (Path(name) / "out" / "results").iterdir())
        print(f"{size / rows:.0f} bytes a result")  # noqa: T201


if __name__ == "__main__":
    main()
