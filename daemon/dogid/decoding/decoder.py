"""Decoding photos within what the machine has: all that decode photos of others share one decoder."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from dogid.decoding.byte_budget import ByteBudget
from dogid.photo.decode import decode
from dogid.photo.decode_cost import estimate_cost
from dogid.photo.pixels import DecodedPhoto

if TYPE_CHECKING:
    from dogid.decoding.processes import DecodeProcesses

# Of memory, estimated. Raising this keeps freed memory in the daemon, and a crash or hang of a larger photo's decoder
# takes the daemon along; lowering it copies more photos to another process, and starts one for them.
PROCESS_FROM = 64 << 20


class Decoder:
    """Decodes small photos in the caller's thread; what is large, slow or suspicious in another process."""

    def __init__(self, budget: ByteBudget, max_pixels: int, seconds: float) -> None:
        """Set up; max_pixels and seconds are the limits of one photo."""
        self.budget = budget
        """What all photos share."""
        self._processes: DecodeProcesses | None = None
        self._lock = threading.Lock()
        self.max_pixels, self.seconds = max_pixels, seconds

    def decode(
        self,
        data: bytes,
        size: tuple[int, int],
        on_start: Callable[[], None] = lambda: None,
        *,
        max_wait: float | None = None,
        is_suspect: bool = False,
    ) -> DecodedPhoto:
        """Decode a photo to size = (width, height), once there is memory for it.

        on_start is called when there is memory. max_wait: seconds to wait for that at most. is_suspect: whether it may
        have killed the daemon. Raise PhotoError; BudgetTimeoutError; OSError where the machine has no memory now.
        """
        cost = estimate_cost(data, size)
        in_process = is_suspect or cost.needs_process or cost.memory > PROCESS_FROM
        if not in_process:
            with self.budget.reserve(cost.memory + len(data), max_wait):
                on_start()
                return decode(data, size, cost.jpeg_header)
        from dogid.decoding.processes import PROCESS_BYTES, DecodeLimits  # an idle daemon needs none of it

        # the bytes are there twice
        with self.budget.reserve(cost.memory + 2 * len(data) + PROCESS_BYTES, max_wait):
            on_start()
            limits = DecodeLimits(cost.memory, self.seconds, self.max_pixels)
            return self._present_processes().decode(data, size, limits)

    def close(self) -> None:
        """End the processes."""
        if self._processes is not None:
            self._processes.close()

    def _present_processes(self) -> "DecodeProcesses":
        from dogid.decoding.processes import DecodeProcesses

        with self._lock:
            if self._processes is None:
                self._processes = DecodeProcesses()
            return self._processes
