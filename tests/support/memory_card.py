"""A memory card: a folder on a real exFAT file system, in an image, by exfat-fuse."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

_PROGRAMS = ("mkfs.exfat", "mount.exfat-fuse", "losetup")
_IMAGE_BYTES = 8 << 20


@contextlib.contextmanager
def mounted_memory_card(folder: Path) -> Iterator[Path]:
    """Make a card and mount it below folder, which exists. Skip the test where that cannot be done."""
    search = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    programs = [shutil.which(name, path=search) for name in _PROGRAMS]
    if None in programs or not Path("/dev/fuse").exists() or os.geteuid() != 0:
        pytest.skip("needs exFAT (apt install exfatprogs exfat-fuse), /dev/fuse and root")
    make, mount, loop = map(str, programs)
    image, card = folder / "card.img", folder / "card"
    card.mkdir()
    with image.open("wb") as file:
        file.truncate(_IMAGE_BYTES)
    subprocess.run([make, image], check=True, capture_output=True)
    attached = subprocess.run([loop, "--show", "--find", image], check=False, capture_output=True, text=True)
    if attached.returncode != 0:
        pytest.skip(f"there is no loop device here: {attached.stderr.strip()}")
    device = attached.stdout.strip()
    try:
        done = subprocess.run([mount, device, card], check=False, capture_output=True, text=True)
    finally:
        subprocess.run([loop, "--detach", device], check=True)  # the mounted file system keeps it until its own end
    if done.returncode != 0 or not os.path.ismount(card):
        pytest.skip(f"exFAT cannot be mounted here: {done.stderr.strip()}")
    try:
        yield card
    finally:
        subprocess.run(["umount", card], check=True)
