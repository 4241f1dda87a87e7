"""Names in the inbox that are never photos: hidden files, and temporary and side files of other programs.

Each entry names its source. A file under a temporary name becomes a photo when it is renamed to its own.
"""

import re

_TEMPORARY_SUFFIXES = (
    b".tmp",  # many; Syncthing's ~syncthing~NAME.tmp on Windows: docs.syncthing.net/users/syncing.html
    b".temp",
    b".part",  # Firefox, KDE, wget-likes; Nextcloud server's chunk uploads (NAME.ocTransferID.part)
    b".partial",  # curl --output with --continue, Internet Explorer, aria-likes
    b".filepart",  # WinSCP: winscp.net/eng/docs/resume
    b".crdownload",  # Chromium
    b".download",  # Safari
    b".opdownload",  # Opera
    b".aria2",  # aria2's control file: aria2.github.io/manual/en/html
    b".!ut",  # uTorrent
    b".!qb",  # qBittorrent
    b".tacitpart",  # Tacit sync (photoprism/photoprism#1473)
    b".!sync",  # Resilio Sync, BitTorrent Sync: help.resilio.com ("!sync files")
    b".bts",  # Resilio Sync: parts of a file
    b".ffs_tmp",  # FreeFileSync
    b".upload",  # Pure-FTPd-likes and web uploaders
    b".swp",  # Vim
    b".lock",
    b"~",  # editors' backups
)

_NAMES = re.compile(
    rb"""
      \..*                      # hidden: rsync's .NAME.XXXXXX, .syncthing.NAME.tmp, .pureftpd-upload.*, ._NAME
    | @eadir | \#recycle        # Synology's indexes and bin (paperless-ngx#13511)
    | @__thumb | @recycle       # QNAP's
    | thumbs\.db | ehthumbs\.db | desktop\.ini  # Windows Explorer
    | .*\.~[0-9a-f]+          # older ownCloud and Nextcloud clients: owncloud/client#192, nextcloud/desktop#1134
    | .*\.sb-[0-9a-z]+(-[0-9a-z]+)*  # macOS, while a program saves a file in place
    | ~syncthing~.*             # Syncthing on Windows
    | \~\$.*                    # Office's owner files
    | lost\+found               # ext file systems
    | \$recycle\.bin | system\ volume\ information  # Windows, on shared disks
    | __macosx                  # macOS's zip side folder
    """,
    re.VERBOSE | re.DOTALL,
)


def is_ignored(name: bytes) -> bool:
    """Given the last part of a path, of a file or a folder, return whether dogid ignores it."""
    lower = name.lower()
    return lower.endswith(_TEMPORARY_SUFFIXES) or _NAMES.fullmatch(lower) is not None


def is_ignored_path(path: bytes) -> bool:
    """Given a path relative to the inbox, return whether any part of it is ignored."""
    return any(is_ignored(part) for part in path.split(b"/"))
