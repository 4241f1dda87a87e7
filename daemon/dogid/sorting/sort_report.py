"""What became of the photos that were sorted, in numbers and by name."""

from dataclasses import dataclass, field

from dogid.result_document import Result

_MOST_NAMED = 100  # photos that could not be sorted; more are counted
_MOST_LEFT_OUT = 1000  # photos that are left out, by name; more are counted


@dataclass(slots=True)
class SortReport:
    """What became of the photos."""

    placed: int = 0
    moved: int = 0
    """Whose label has changed."""
    replaced: int = 0
    """That were made anew in their places: as another kind, or since a link pointed to nothing."""
    already: int = 0
    """That are there, by this run or an earlier one; also further photos of the same content."""
    unsure: int = 0
    """Of all these, those in the folder for it."""
    left_out: int = 0
    """Failed, pending, or not in the inbox any more."""
    left_out_reasons: dict[str, int] = field(default_factory=dict)
    """How many were left out, by reason."""
    left_out_photos: list[dict[str, str]] = field(default_factory=list)
    """Of the first that were left out: file and reason."""
    failed: int = 0
    unreadable: int = 0
    """Of those that failed, those that may be readable later."""
    reasons: list[str] = field(default_factory=list)
    """Of the first that failed, with their names."""
    labels: dict[str, int] = field(default_factory=dict)
    """How many photos were placed or moved, by the name of their folder."""

    def note_left_out(self, result: Result) -> None:
        """Count a photo that is left out, by its reason."""
        if result["status"] == "failed":
            reason = f"failed as {result['error']['code']}"
        else:
            reason = "not classified yet" if result["present"] else "not in the inbox any more"
        self.left_out += 1
        self.left_out_reasons[reason] = self.left_out_reasons.get(reason, 0) + 1
        if len(self.left_out_photos) < _MOST_LEFT_OUT:
            self.left_out_photos.append({"file": result["file"], "reason": reason})

    def note_failure(self, file: str, reason: str) -> None:
        """Count a photo that could not be sorted."""
        self.failed += 1
        if len(self.reasons) < _MOST_NAMED:
            self.reasons.append(f"{file}: {reason}")
