"""What may be wrong around the daemon, each with the way out: the same words in commands, JSON, page and log."""

import errno
import re
from pathlib import Path

from dogid.file_names import quote_for_shell, quote_for_unit

LEDGER_DAMAGED = "the ledger is damaged; restart dogid: the start moves it aside and copies its results into a new one"
"""Why a ledger cannot be used that was sound at the start, with the way out."""

OLDER_ANSWERS_HINT = "with another model's answer; what the present one answers: dogid replay"
"""What to do about photos that were answered before another model was activated."""

LEDGER_EMPTY = (
    "it is an empty file; the start makes a new ledger, and finds the photos in the inbox again; to have former results"
    " back: dogid restore FILE"
)
"""What becomes of a ledger of no bytes, which a power cut or a full disk can leave."""
LEDGER_IS_FOLDER = "it is a folder, and the daemon cannot start; move it away"
"""Why a ledger cannot be opened in whose place something else is."""


_SERVICE_STATE = re.compile(r"/var/lib/(dogid(?:-[^/]+)?)(?:/|$)")


def find_unit(state: Path) -> str | None:
    """Return the systemd unit whose daemon has this state folder; None where none has: it was started by hand."""
    found = _SERVICE_STATE.match(str(state))
    return None if found is None else found[1].replace("-", "@", 1)


def not_running(state: Path) -> str:
    """Return why files in the inbox are not in the ledger yet, with the way out."""
    unit = find_unit(state)
    way_out = "dogid run, or make run" if unit is None else f"sudo systemctl start {unit}"
    return f"no daemon runs with this state folder: {way_out}"


def restart_by_hand(state: Path) -> str:
    """Return how the daemon of a state folder is restarted: to be put behind "restart the daemon"."""
    unit = find_unit(state)
    return "" if unit is None else f": sudo systemctl restart {unit}"


def reload_by_hand(state: Path, pid: int) -> str:
    """Return how the daemon of a state folder, a process of this id, is made to read its settings again."""
    unit = find_unit(state)
    return f"kill -HUP {pid}" if unit is None else f"sudo systemctl reload {unit}"


def stop_first(state: Path) -> str:
    """Return how the daemon of a state folder is stopped."""
    unit = find_unit(state)
    return "stop it first: " + ("Ctrl-C where it runs" if unit is None else f"sudo systemctl stop {unit}")


def no_ledger(path: Path) -> str:
    """Return the message for a state folder in which no daemon has run."""
    unit = find_unit(path.parent)
    start = "dogid run" if unit is None else f"sudo systemctl start {unit}"
    return (
        f"{path}: there is no ledger of results; run this where the daemon was started, or give its --state DIR; if it"
        f" has not run yet: {start}"
    )


def model_is_set(model: Path) -> str:
    """Return the message for an activation where the settings name the model, which then is the one that runs."""
    return (
        f"the setting `model` names {model}, which goes before what is activated; take it out of the flags, DOGID_MODEL"
        " or the configuration, restart or reload the daemon, and activate again"
    )


def start_replaces_ledger(reason: str) -> str:
    """Return the message for a ledger that the next start of the daemon replaces, given how it is damaged."""
    reason = "; ".join(reason.split("\n"))
    return f"it is damaged ({reason}); the start moves it aside and copies what can be read of it into a new one"


def inbox_unreadable(inbox: Path, error: OSError) -> str:
    """Return the message for an inbox that an error kept from being read."""
    if error.errno == errno.ENOENT:
        return f"{inbox}: the inbox is missing; bring it back, or mount its disk"
    if error.errno == errno.ENOTDIR:
        return f"{inbox}: the inbox is not a folder; give another by --inbox"
    if error.errno == errno.EACCES:
        return f"{inbox}: the inbox cannot be read by this user; try: chmod a+rx {quote_for_shell(inbox)}"
    return f"{inbox}: the inbox cannot be read: {error.strerror or error}"


def inbox_unwritable(inbox: Path, error: OSError, unit: str | None) -> str:
    """Return the message for an inbox into which an upload could not be written.

    unit: of systemd, whose service it is; None where it was started by hand.
    """
    reason = error.strerror or str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{inbox}: {reason}; make room there"
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM) and unit is not None:
        return (
            f"{inbox}: {reason}; the service may not write photos: allow it by upload.conf, beside lan.conf, then"
            f" restart it: sudo systemctl restart {unit}"
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"{inbox}: {reason}; give this user the right to write there: chmod u+rwx {quote_for_shell(inbox)}"
    return f"{inbox}: {reason}"


def state_in_use(state: Path, url: str | None) -> str:
    """A daemon runs with the state folder that a second one was to use. url: of the first one's page, where known."""
    place = "" if url is None else f", at {url}"
    return (
        f"{state}: another dogid uses this state folder{place}; stop it, or give another --state. It takes another "
        "model while it runs: dogid model activate FILE"
    )


def inbox_hangs(inbox: Path) -> str:
    """Return the message for an inbox that does not answer, as where a network disk's server is away."""
    return (
        f"{inbox}: the inbox does not answer; is its disk or server down? New photos are found when it is back;"
        " uploads and results work meanwhile"
    )


def inbox_hangs_while_storing(inbox: Path) -> str:
    """Return the message for an inbox that does not answer while an upload is written into it."""
    return (
        f"{inbox}: the inbox does not answer; is its disk or server down? The upload may be in it or not: look before"
        " you send it again"
    )


def other_inbox(inbox: Path, pid: int) -> str:
    """Return the message for a path at which the daemon, with this process id, sees another folder than a command."""
    return (
        f"{inbox}: the daemon sees another folder there (BindReadOnlyPaths, or a mount of its own); to look as it does,"
        f" put `sudo nsenter --mount --target {pid}` before the command"
    )


def hidden_home(inbox: Path) -> str:
    """Return the message for an inbox in a home folder, which the service does not see."""
    return (
        f"{inbox}: home folders are hidden from the service (ProtectHome), so this one cannot be the inbox; leave the"
        f" inbox where it was, and show the folder there: sudo systemctl edit dogid, with [Service] and"
        f" BindReadOnlyPaths={quote_for_unit(inbox)}:/var/lib/dogid/inbox"
    )


def ledger_replaced(path: Path) -> str:
    """Return the message for a part of the state folder that was moved, deleted or replaced under the daemon."""
    return (
        f"{path}: was moved, deleted or replaced while the daemon uses it, and new results go into the former file;"
        f" bring it back if you moved it, and restart the daemon{restart_by_hand(path.parent)}"
    )


def ledger_unreadable(state: Path, reason: str) -> str:
    """Return the message for a ledger that the daemon cannot read any more, given SQLite's reason."""
    return f"{state}: the ledger cannot be read: {reason}; restart the daemon{restart_by_hand(state)}"


def temporary_folder_unwritable(folder: str, error: OSError) -> str:
    """Return the message for a folder of temporary files that an error kept from being written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{folder}: the disk of the temporary folder is full; make room there, or send a smaller photo"
    return f"{folder}: the temporary folder cannot be written: {error.strerror or error}"


def folder_unreadable(folder: str, reason: str, remedy: str | None) -> str:
    """Return the message for a folder in the inbox that an error kept from being read, given a command that helps."""
    return f"{folder}: the folder cannot be read: {reason}" + ("" if remedy is None else f"; try: {remedy}")


def ledger_unwritable(state: Path, reason: str) -> str:
    """Return the message for a ledger that cannot be written, given SQLite's reason."""
    if "full" in reason:
        return f"{state}: the ledger cannot be written, as its disk is full; make room there: photos wait, none is lost"
    return f"{state}: the ledger cannot be written: {reason}"


def ledger_hangs(state: Path) -> str:
    """Return the message for a ledger that does not answer, as where its disk hangs."""
    return (
        f"{state}: the ledger does not answer; is its disk down, or busy? Repairing a large one takes minutes, too."
        " Photos wait, none is lost"
    )


def rows_damaged(count: int) -> str:
    """Return the message for rows of the ledger that were damaged on the disk."""
    what = "1 row of the ledger was" if count == 1 else f"{count} rows of the ledger were"
    return (
        f"{what} damaged on the disk, and repaired or removed; photos that are still there are classified again;"
        " if more come, back up with `dogid backup` and replace the disk"
    )


def rows_left_out(count: int) -> str:
    """Return the message for damaged rows that a list lacks, before the daemon has repaired them."""
    return f"{count} damaged {'row is' if count == 1 else 'rows are'} left out; a running daemon repairs them"


def ledger_moved_aside(aside: str, results: int | None) -> str:
    """Return the message for a damaged ledger that was moved aside, given how many results the new one has of it."""
    copied = "nothing could be read of it" if not results else f"{results} of its results were copied into a new one"
    return f"the ledger was damaged and is now {aside}; {copied}; other photos are found again in the inbox"


def no_more_threads(error: RuntimeError) -> str | None:
    """Return the message for a machine that gives no more threads; None where an error has another reason."""
    # the words of CPython: https://github.com/python/cpython/blob/3.11/Modules/_threadmodule.c
    if "can't start new thread" not in str(error):
        return None
    return f"{error}: this machine allows too few; allow more (TasksMax, ulimit -u), or set fewer workers"


def no_rights(path: Path, owner: str) -> str:
    """Return the message for a path that only another user can use."""
    return f"{path}: belongs to {owner}, and this user has no rights to it; put `sudo -u {owner}` before the command"


def not_a_photo(kind: str) -> str:
    """Return the message for a folder, pipe, socket or device, of which kind is the name with its article."""
    return f"it is {kind}, and not a photo; dogid reads regular files alone"


def linked_folder(folder: str) -> str:
    """Return the message for a photo in a folder that is a link."""
    return f"{folder} is a link, and dogid enters no linked folders; mount the folder there (mount --bind), or copy it"


def link_out_of_inbox(target: str) -> str:
    """Return the message for a link to a file outside the inbox."""
    return f"it is a link to {target}, out of the inbox, which dogid does not follow; copy or hard-link the photo"


def link_to_nothing(target: str) -> str:
    """Return the message for a link that ends in the inbox, but not at a regular file."""
    return f"it is a link to {target}, which is not a regular file"


def links_out_of_inbox(count: int, example: str) -> str:
    """Return the message for links out of the inbox, given the message for one of them."""
    return f"{count} {'link leads' if count == 1 else 'links lead'} out of the inbox: {example}"


def link_to_photo(target: str) -> str:
    """Return the message for a link to a photo that is in the inbox."""
    return f"it is a link to {target}, which counts under its own name"
