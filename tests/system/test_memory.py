"""How much memory there is: of the machine, and of the control groups that a process is in."""

from pathlib import Path

import pytest

from dogid.system.memory import free_memory, memory_limit

GIB = 1 << 30


def machine(root: Path, available: int, own_group: str = "0::/\n") -> Path:
    """Lay out what Linux reports of a machine's memory, in kB, and of a process' control groups."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/meminfo").write_text(f"MemTotal: 9 kB\nMemAvailable: {available} kB\nSwapFree: 1 kB\n")
    (root / "proc/self/cgroup").write_text(own_group)
    return root


def group_v2(folder: Path, limit: str, used: int, inactive_file: int = 0) -> None:
    folder.mkdir(parents=True)
    (folder / "memory.max").write_text(f"{limit}\n")
    (folder / "memory.current").write_text(f"{used}\n")
    active_file = inactive_file // 3  # read more than once
    (folder / "memory.stat").write_text(
        f"anon 7\nfile 9\ninactive_anon 5\ninactive_file {inactive_file - active_file}\nactive_file {active_file}\n"
    )


def group_v1(folder: Path, limit: int, used: int, total_inactive_file: int = 0) -> None:
    folder.mkdir(parents=True)
    (folder / "memory.limit_in_bytes").write_text(f"{limit}\n")
    (folder / "memory.usage_in_bytes").write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"cache 3\ninactive_file 1\ntotal_inactive_file {total_inactive_file}\n")


def test_machine_memory_includes_swap(tmp_path: Path) -> None:
    assert free_memory(machine(tmp_path, 1000)) == 1001 * 1024


def test_container_limit_counts_where_it_is_less(tmp_path: Path) -> None:
    group_v2(machine(tmp_path, 1000) / "sys/fs/cgroup", "5000", 2000)
    assert free_memory(tmp_path) == 3000


def test_container_without_limit_has_the_machines_memory(tmp_path: Path) -> None:
    group_v2(machine(tmp_path, 1000) / "sys/fs/cgroup", "max", 2000)
    assert free_memory(tmp_path) == 1001 * 1024


def test_reclaimable_page_cache_counts_as_free(tmp_path: Path) -> None:
    """A training that has just read all photos leaves a container full of them."""
    used, photos = 4 * GIB - 107_000_000, 3_700_000_000
    group_v2(machine(tmp_path, 16 * GIB) / "sys/fs/cgroup", str(4 * GIB), used, photos)
    assert free_memory(tmp_path) == 107_000_000 + photos


def test_reclaimable_page_cache_counts_as_free_in_version_1(tmp_path: Path) -> None:
    group_v1(machine(tmp_path, 1000) / "sys/fs/cgroup/memory", 5000, 4900, 1200)
    assert free_memory(tmp_path) == 1300


def test_full_container_has_no_memory(tmp_path: Path) -> None:
    group_v2(machine(tmp_path, 1000) / "sys/fs/cgroup", "5000", 5000)
    assert free_memory(tmp_path) == 0


@pytest.mark.parametrize(("outer", "inner", "free"), [("5000", "3000", 2000), ("1500", "3000", 500)])
def test_least_of_nested_groups_counts(tmp_path: Path, outer: str, inner: str, free: int) -> None:
    root = machine(tmp_path, 1000, "0::/system.slice/training.service\n") / "sys/fs/cgroup/system.slice"
    group_v2(root, outer, 1000)
    group_v2(root / "training.service", inner, 1000)
    assert free_memory(tmp_path) == free


def test_own_group_of_version_1_is_found_among_controllers(tmp_path: Path) -> None:
    root = machine(tmp_path, 1000, "8:pids:/else\n4:cpu,memory:/docker/a:b\n0::/\n") / "sys/fs/cgroup/memory"
    group_v1(root, 1 << 62, 1000)
    group_v1(root / "docker/a:b", 3000, 1000)
    assert free_memory(tmp_path) == 2000


def test_host_path_falls_back_to_containers_group(tmp_path: Path) -> None:
    group_v1(machine(tmp_path, 1000, "4:memory:/docker/0123\n") / "sys/fs/cgroup/memory", 3000, 1000)
    assert free_memory(tmp_path) == 2000


def test_system_that_reports_nothing_is_not_judged(tmp_path: Path) -> None:
    assert free_memory(tmp_path) is None


@pytest.mark.parametrize(("high", "limit"), [("max", 5000), ("3000", 3000)])
def test_limit_is_where_the_kernel_slows_down(tmp_path: Path, high: str, limit: int) -> None:
    group = machine(tmp_path, 1000) / "sys/fs/cgroup"
    group_v2(group, "5000", 2000)
    (group / "memory.high").write_text(f"{high}\n")
    assert memory_limit(tmp_path) == limit


def test_machine_without_groups_is_its_own_limit(tmp_path: Path) -> None:
    assert memory_limit(machine(tmp_path, 1000)) == 9 * 1024
