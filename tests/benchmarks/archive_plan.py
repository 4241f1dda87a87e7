"""What ten million and a billion photos take: computed from photos per second of one core, not measured.

`python -m tests.benchmarks.archive_plan RATE MEGABYTES` prints the tables of daemon/ARCHIVES.md. RATE: photos per
second of one core, as `tests.benchmarks.archive` measures it for Ray; MEGABYTES: of a photo.
"""

import sys

_ARCHIVES = (10_000_000, (2, 16, 64)), (1_000_000_000, (64, 1_000))
_STORES = (
    ("1 Gbit/s network", 0.125),
    ("one disk, read in order", 0.2),
    ("10 Gbit/s network", 1.25),
    ("one NVMe drive", 3.0),
    ("100 Gbit/s network", 12.5),
)
_CORES_PER_NODE = 16
_PART_FILE = 1_000  # photos, up to 20 million; above, a 20,000th of all
_PARTS = 20_000
# Assumed: dollars of a core for an hour and of a thousand requests; hours of a node until one fails.
_CORE_HOUR, _THOUSAND_REQUESTS, _HOURS_OF_A_NODE = 0.04, 0.0004, 1_000.0


def main(rate: float, megabytes: float) -> None:
    """Print the tables, and what they leave out."""
    _write("| photos | cores | hours | GB/s that the storage must give | nodes that fail |")
    _write("| --- | ---: | ---: | ---: | ---: |")
    for photos, machines in _ARCHIVES:
        for cores in machines:
            hours = photos / rate / cores / 3600
            bandwidth = cores * rate * megabytes / 1000
            failing = cores / _CORES_PER_NODE * hours / _HOURS_OF_A_NODE
            _write(f"| {photos:,} | {cores:,} | {hours:.2g} | {bandwidth:.2g} | {failing:.2g} |")
    _write(f"\none core reads {rate * megabytes / 1000:.3f} GB/s\n")
    _write("| storage | GB/s | feeds cores | 10 million, hours | a billion, hours |")
    _write("| --- | ---: | ---: | ---: | ---: |")
    for name, bandwidth in _STORES:
        alone = [photos * megabytes / 1000 / bandwidth / 3600 for photos, _ in _ARCHIVES]
        _write(
            f"| {name} | {bandwidth} | {bandwidth * 1000 / megabytes / rate:.2g} | {alone[0]:.3g} | {alone[1]:.3g} |"
        )
    for photos, _ in _ARCHIVES:
        work = photos / rate / 3600
        lost = max(_PART_FILE, photos // _PARTS) * _CORES_PER_NODE / rate / 60
        _write(
            f"\n{photos:,} photos: {work:,.0f} core hours, ${work * _CORE_HOUR:,.0f} of cores,"
            f" ${photos / 1000 * _THOUSAND_REQUESTS:,.0f} of requests; a lost node of {_CORES_PER_NODE} cores costs at"
            f" most {lost:,.0f} core minutes"
        )


def _write(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main(float(sys.argv[1]), float(sys.argv[2]))
