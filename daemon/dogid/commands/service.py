"""`dogid service install|uninstall|status`: the systemd service."""

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from dogid.commands.output import print_json, print_line, print_table
from dogid.errors import UsageError
from dogid.installer.paths import VENV, Places

_PROPERTIES = ("LoadState", "ActiveState", "UnitFileState", "StatusText", "MainPID", "NRestarts", "FragmentPath")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The three verbs and what each takes."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="install|uninstall|status")
    install = verbs.add_parser("install", help="set the service up and start it; again, to upgrade or mend it")
    install.add_argument("--user", metavar="NAME", help="who may copy photos in (default: who called sudo)")
    install.add_argument("--from", dest="source", metavar="SOURCE", help="what pip installs (default: this very dogid)")
    install.add_argument("--python", metavar="FILE", default="/usr/bin/python3", help="(default: /usr/bin/python3)")
    uninstall = verbs.add_parser("uninstall", help="stop the service and remove it")
    data = uninstall.add_mutually_exclusive_group()
    data.add_argument("--keep-data", action="store_true", help="keep settings, results and photos (the default)")
    data.add_argument("--delete-data", action="store_true", help="delete them too, the photos in the inbox included")
    for verb in (install, uninstall):
        verb.add_argument("--dry-run", action="store_true", help="only tell what would be done")
    status = verbs.add_parser("status", help="whether the service runs, and how it is doing")
    status.add_argument("--json", action="store_true", help="print one JSON document")
    for verb in (install, uninstall, status):
        verb.add_argument("--instance", metavar="NAME", help="a further service, with its own inbox, model and port")


def run(args: argparse.Namespace) -> int:
    """Do what the verb says."""
    if args.verb == "status":
        return _status(Places(args.instance), as_json=args.json)
    if os.geteuid() != 0 and not args.dry_run:
        raise UsageError(f"only root can {args.verb} a service; try: sudo {_this_program()} service {args.verb}")
    return _install(args) if args.verb == "install" else _uninstall(args)


def _install(args: argparse.Namespace) -> int:
    from dogid.installer.install import install_steps, options
    from dogid.installer.paths import lan_conf
    from dogid.installer.steps import carry_out

    chosen = options(args.instance, args.source, args.python, args.user)
    carry_out(install_steps(chosen), print_line, dry_run=args.dry_run)
    if not args.dry_run:
        print_line(f"photos go to {chosen.places.inbox}, settings are in {chosen.places.config}")
        print_line(f"it answers this machine only; to open it to your network, with a token: {lan_conf()}")
    return 0


def _uninstall(args: argparse.Namespace) -> int:
    from dogid.installer.steps import carry_out
    from dogid.installer.uninstall import kept, uninstall_steps

    places = Places(args.instance)
    carry_out(uninstall_steps(places, delete_data=args.delete_data), print_line, dry_run=args.dry_run)
    left = kept(places)
    if left and not args.delete_data and not args.dry_run:
        print_line(f"kept: {', '.join(map(str, left))}; to delete them: --delete-data")
    return 0


def _status(places: Places, *, as_json: bool) -> int:
    try:
        asked = ["systemctl", "show", places.unit, *(f"--property={name}" for name in _PROPERTIES)]
        done = subprocess.run(asked, capture_output=True, text=True, check=False)  # noqa: S603
    except OSError as error:
        raise UsageError(f"systemctl: cannot be run: {error.strerror}; is there no systemd here?") from error
    told = dict(line.partition("=")[::2] for line in done.stdout.splitlines())
    active = told.get("ActiveState") in ("active", "reloading")
    document: dict[str, Any] = {
        "unit": places.unit,
        "installed": told.get("LoadState") == "loaded",
        "active": active,
        "starts_at_boot": told.get("UnitFileState") == "enabled",
        "status": told.get("StatusText") or None,
        "restarts": int(told.get("NRestarts") or 0),
        "inbox": str(places.inbox),
        "config": str(places.config),
    }
    if as_json:
        print_json(document)
    else:
        rows = [(name.replace("_", " "), "-" if value is None else str(value)) for name, value in document.items()]
        print_table(rows)
    return 0 if active else 1


def _this_program() -> str:
    return str(VENV / "bin" / "dogid") if (VENV / "bin" / "dogid").exists() else str(Path(sys.argv[0]).absolute())
