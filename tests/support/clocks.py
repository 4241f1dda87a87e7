"""A clock that tests set."""

from dataclasses import dataclass

from dogid.clock import Clock


@dataclass(frozen=True, slots=True)
class SetClock(Clock):
    """Both clocks, in milliseconds, in a list that tests change: [wall, steady]."""

    times: list[int]

    def wall_ms(self) -> int:
        return self.times[0]

    def steady_ms(self) -> int:
        return self.times[1]

    def advance(self, milliseconds: int) -> None:
        """Let time pass."""
        self.times[0] += milliseconds
        self.times[1] += milliseconds

    def set_wall(self, milliseconds: int) -> None:
        """What a network time server does to a machine that has no clock of its own."""
        self.times[0] = milliseconds
