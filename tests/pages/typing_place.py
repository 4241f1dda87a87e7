"""A place in which a page's commands are typed, with a daemon, and what belongs to others replaced."""

import os
import re
import shutil
import signal
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import numpy as np

from dogid.model import training_embeddings
from dogid.model.member_names import TRAINING_EMBEDDINGS
from dogid.model.shipped import shipped_model
from tests.shelf.models import make_model
from tests.support.daemon import ROOT, DaemonProcess, environment
from tests.support.http_client import fetch
from tests.support.photos import photo, put

_MOVED = re.compile(r"(?<![\w.])/(?=etc/|srv/dogs|var/lib/dogid|media/usb|mnt/archive|opt/dogid)")
_MOST_SECONDS = 300  # for one command on a busy machine
_STORED = 120  # photos of the model's training, enough for a learning run and thirty times quicker than all
_PRELUDE = """
set -eo pipefail
shopt -s expand_aliases
sudo() { [ "$1" != -u ] || shift 2; "$@"; }
apt() { :; }; pip() { :; }; usermod() { :; }
make() { command make --dry-run --directory "$CLONE" "$@" >/dev/null; }
python3() { [ "$2" = venv ] || command python3 "$@"; }
curl() { command curl --fail-with-body "$@"; }
"""
_DOGID = """#!/bin/bash
case "$1 $2" in
  "service install") exec "$PYTHON" -m dogid "$@" --help ;;  # tests/service types it, on a machine of its own
  "run "*)
    rm -f "$HOME/run.log"  # what the daemon before it printed
    "$PYTHON" -m dogid "$@" --port 0 --inbox "$HOME/other/inbox" --state "$HOME/other/state" >"$HOME/run.log" 2>&1 &
    until grep -qs "results at" "$HOME/run.log"; do
      kill -0 $! 2>/dev/null || { cat "$HOME/run.log" >&2; exit 1; }
      sleep 0.05
    done
    kill $!; wait $! ;;
  *) exec "$PYTHON" -m dogid "$@" ;;
esac
"""


class TypingPlace:
    """A home folder, which is also the folder of the clone and that of the daemon."""

    def __init__(self, folder: Path) -> None:
        """Make what a reader of the pages has: photos, a model, and programs where installations put them."""
        self.folder = folder
        self.daemon = DaemonProcess(folder / "inbox", folder / "state", "--allow-upload")
        for number, name in enumerate(("rex.jpg", "max.jpg", "cam2/a.jpg", "cam2/b.jpg")):
            put(self.daemon.inbox / name, photo(number))
        for number, name in enumerate(("Pictures/rex.jpg", "rex.jpg", "a.jpg", "b.jpg", "mnt/archive/a.jpg")):
            put(folder / name, photo(number))
        for name in ("bin", ".venv/bin", ".venv-train/bin", "dogid/bin"):
            put(folder / name / "dogid", _DOGID.encode()).chmod(0o755)
            put(folder / name / "activate", b"")
            put(folder / name / "pip", b"#!/bin/sh\n").chmod(0o755)
        (self.daemon.state / "models").mkdir(parents=True)
        (folder / "var/lib/dogid/inbox").mkdir(parents=True)
        (folder / "media/usb").mkdir(parents=True)
        settings = f'inbox = "{self.daemon.inbox}"\nstate = "{self.daemon.state}"\n'
        put(folder / "etc/dogid/dogid.toml", settings.encode())
        put(folder / "dogid.toml", b"settle = 1\n")
        drop_in = (ROOT / "systemd" / "outputs.conf").read_bytes()
        put(folder / "opt/dogid/venv/share/dogid/systemd/outputs.conf", drop_in)
        _make_small_model(folder / "mine.tflite")

    def start(self) -> None:
        """Start the daemon and wait for its photos."""
        self.daemon.start()
        for name in ("rex.jpg", "max.jpg", "cam2/a.jpg", "cam2/b.jpg"):
            self.daemon.wait_for_answer(name)

    def activate_small_model(self) -> None:
        """Have a model classify that learns quickly, and from which a rollback leads to the shipped one."""
        shutil.copy(self.folder / "mine.tflite", self.daemon.state / "models")
        assert fetch(self.daemon.url, "/models/mine/activate", method="POST").status == 200

    def type(self, command: str) -> subprocess.CompletedProcess[str]:
        """Type a command as it stands on a page; return what came of it."""
        verb = re.fullmatch(r"sudo systemctl (start|stop|reload) dogid", command)
        if verb is not None:
            self._manage(verb[1])
            return subprocess.CompletedProcess(command, 0, "", "")
        variables = {**environment(), "HOME": str(self.folder), "PYTHON": sys.executable, "CLONE": str(ROOT)}
        variables["PATH"] = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        return subprocess.run(
            ["bash", "-c", _PRELUDE + self._localise(command)],
            env=variables, cwd=self.folder, capture_output=True, text=True, check=False, timeout=_MOST_SECONDS,
        )  # fmt: skip

    def _manage(self, verb: str) -> None:
        if verb == "reload":
            self.daemon.send(signal.SIGHUP)
        elif verb == "stop":
            self.daemon.stop()
        else:
            self.daemon.start()

    def _localise(self, command: str) -> str:
        command = _MOVED.sub(f"{self.folder}/", command)
        command = re.sub(r"(http://)?(localhost|pi\.local):8000/", self.daemon.url, command)
        if "/events" in command:  # it never ends
            command = command.replace("curl ", "curl --max-time 1 ")
        if "systemctl" in command or "dogid.service" in command:
            command = f"systemctl() {{ :; }}; {command}"
        if re.search(r"\b1[78]\b", command):  # ids in examples
            ids = [str(result["id"]) for result in self.daemon.results()[:2]]
            command = re.sub(r"\b17\b", ids[0], command)
            command = re.sub(r"\b18\b", ids[1], command)
        return command


def _make_small_model(path: Path) -> None:
    """Write the shipped model with few of its training photos, so that learning takes a moment."""
    stored = training_embeddings.read_embeddings(shipped_model())
    assert stored is not None
    chosen = np.linspace(0, len(stored.labels) - 1, _STORED).astype(int)
    few = training_embeddings.TrainingEmbeddings(
        stored.embeddings[chosen], stored.labels[chosen], tuple(stored.sha256[at] for at in chosen),
        stored.network_trained[chosen],
    )  # fmt: skip
    make_model(path, labels=("cat", "other", "dog", "pug"))
    with warnings.catch_warnings(), zipfile.ZipFile(path, "a") as archive:
        warnings.simplefilter("ignore")  # it has some already: the last ones count
        archive.writestr(zipfile.ZipInfo(TRAINING_EMBEDDINGS), training_embeddings.encode(few))
