"""`dogid service install|uninstall|status`: the systemd service."""

import argparse
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from dogid.commands.output import print_json, print_line, print_table
from dogid.errors import UsageError
from dogid.installer.paths import VENV, ServicePaths

_PROPERTIES = ("LoadState", "ActiveState", "UnitFileState", "StatusText", "MainPID", "NRestarts", "FragmentPath")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verbs install, uninstall and status, each with its flags."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="install|uninstall|status")
    install = verbs.add_parser("install", help="install or upgrade the service")
    install.add_argument("--user", metavar="NAME", help="user who may copy photos in (default: the caller of sudo)")
    install.add_argument("--from", dest="source", metavar="SOURCE", help="what pip installs (default: this version)")
    install.add_argument(
        "--python",
        metavar="FILE",
        default="/usr/bin/python3",
        help="interpreter for the service (default: /usr/bin/python3)",
    )
    uninstall = verbs.add_parser("uninstall", help="stop and remove the service")
    data = uninstall.add_mutually_exclusive_group()
    data.add_argument("--keep-data", action="store_true", help="keep settings, results and photos (the default)")
    data.add_argument("--delete-data", action="store_true", help="delete them too, including the photos in the inbox")
    for verb in (install, uninstall):
        verb.add_argument("--dry-run", action="store_true", help="only print what would be done")
    status = verbs.add_parser("status", help="show whether the service runs, and its status line")
    status.add_argument("--json", action="store_true", help="print one JSON document")
    for verb in (install, uninstall, status):
        verb.add_argument("--instance", metavar="NAME", help="a further service, with its own inbox, model and port")


def run(args: argparse.Namespace) -> int:
    """Install, remove or show the service; return 0, or for `status` 1 where it is not active."""
    if args.verb == "status":
        return _status(ServicePaths(args.instance), as_json=args.json)
    if os.geteuid() != 0 and not args.dry_run:
        raise UsageError(f"only root can {args.verb} a service; try: sudo {_own_command()} service {args.verb}")
    return _install(args) if args.verb == "install" else _uninstall(args)


def _install(args: argparse.Namespace) -> int:
    from dogid.installer.install import check_options, install_steps
    from dogid.installer.paths import lan_conf
    from dogid.installer.steps import run_steps

    chosen = check_options(args.instance, args.source, args.python, args.user)
    run_steps(install_steps(chosen), print_line, dry_run=args.dry_run)
    if not args.dry_run:
        print_line(f"photos go to {chosen.paths.inbox}, settings are in {chosen.paths.config}")
        print_line(f"it listens on localhost only; to open it to your network, with a token: {lan_conf()}")
    return 0


def _uninstall(args: argparse.Namespace) -> int:
    from dogid.installer.steps import run_steps
    from dogid.installer.uninstall import kept_paths, uninstall_steps

    paths = ServicePaths(args.instance)
    run_steps(uninstall_steps(paths, delete_data=args.delete_data), print_line, dry_run=args.dry_run)
    kept = kept_paths(paths)
    if kept and not args.delete_data and not args.dry_run:
        # the program may just have been removed, so that --delete-data could not be given any more
        folders = shlex.join(map(str, kept))
        print_line(f"kept, photos included: {folders}; to delete them: sudo rm -r {folders}")
    return 0


def _status(paths: ServicePaths, *, as_json: bool) -> int:
    try:
        query = ["systemctl", "show", paths.unit, *(f"--property={name}" for name in _PROPERTIES)]
        done = subprocess.run(query, capture_output=True, text=True, check=False)  # noqa: S603
    except OSError as error:
        raise UsageError(f"systemctl: cannot be run: {error.strerror}; does this machine run systemd?") from error
    properties = dict(line.partition("=")[::2] for line in done.stdout.splitlines())
    active = properties.get("ActiveState") in ("active", "reloading")
    document: dict[str, Any] = {
        "unit": paths.unit,
        "installed": properties.get("LoadState") == "loaded",
        "active": active,
        "starts_at_boot": properties.get("UnitFileState") == "enabled",
        "status": properties.get("StatusText") or None,
        "restarts": int(properties.get("NRestarts") or 0),
        "inbox": str(paths.inbox),
        "config": str(paths.config),
    }
    if as_json:
        print_json(document)
    else:
        rows = [(name.replace("_", " "), "-" if value is None else str(value)) for name, value in document.items()]
        print_table(rows)
    return 0 if active else 1


def _own_command() -> str:
    return str(VENV / "bin" / "dogid") if (VENV / "bin" / "dogid").exists() else str(Path(sys.argv[0]).absolute())
