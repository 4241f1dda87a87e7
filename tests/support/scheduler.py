"""Hands tests to pytest-xdist's processes: whole files and groups, the longest first."""

from typing import Any

from xdist.scheduler import LoadScopeScheduling

from tests.support.run_order import find_group, rank


class Scheduler(LoadScopeScheduling):  # type: ignore[misc]
    """Gives each process the next file, or the next group, that it has collected.

    `--dist loadgroup` would do that by marks, but pytest-xdist 3.8 does not see them with pytest 9.2, and wants every
    process to collect all tests.
    """

    collection: list[str] | None
    """All tests, once all processes have collected."""

    def _split_scope(self, nodeid: str) -> str:
        return find_group(nodeid) or nodeid.partition("::")[0]

    def _check_nodes_have_same_collection(self) -> bool:
        return True  # they have not: each group is collected by one of them

    def schedule(self) -> None:
        """Once all processes have collected: list the work, and give each its first files, or else its next."""
        if self.collection is None:
            collected = [test for tests in self.registered_collections.values() for test in tests]
            self.collection = sorted(dict.fromkeys(collected), key=rank)
            self.config.pluginmanager.get_plugin("session").testscollected = len(self.collection)  # for the progress
            for test in self.collection:
                self.workqueue.setdefault(self._split_scope(test), {})[test] = False
        for node in self.nodes:
            self._reschedule(node)
        for node in self.nodes:
            self._reschedule(node)  # a process begins a test when it knows the one after

    def _assign_work_unit(self, node: Any) -> None:
        known = set(self.registered_collections.get(node, ()))  # none of a process that came in place of another
        scope = next((scope for scope, tests in self.workqueue.items() if known.issuperset(tests)), None)
        if scope is None:
            node.shutdown()  # what is left is for others
            return
        self.workqueue.move_to_end(scope, last=False)
        super()._assign_work_unit(node)
