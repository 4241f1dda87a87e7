"""Which mutants count as killed, as survivors, and as no change at all."""

import pytest

from tests.mutants.modules import SUITES, Suite
from tests.mutants.run import count, is_equivalent, missing_files, read_results, run


def difference(before: str, after: str) -> str:
    """Return the difference of one line as `mutmut show` prints it."""
    return f"""# dogid.ledger.record.x_f__mutmut_1: survived
--- src/dogid/ledger/record.py
+++ src/dogid/ledger/record.py
@@ -1,3 +1,3 @@
 def f():
-    {before}
+    {after}
     return None
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('" WHERE id = ? ORDER BY id",', '" where id = ? order by id",'),
        ('" scores = ?, sha256 = ?,"', '" SCORES = ?, SHA256 = ?,"'),
        ("\"UPDATE photo SET state = 'failed'\"", "\"update photo set state = 'failed'\""),
        ('f(replaced["id"], row["id"])', 'f(replaced["ID"], row["id"])'),
        ('group.pending[job.id]["path"]', 'group.pending[job.id]["PATH"]'),
    ],
)
def test_case_of_sql_and_columns_is_equivalent(before: str, after: str) -> None:
    assert is_equivalent(difference(before, after))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('note(db, clock, former, "touched", "it changed")', 'note(db, clock, former, "TOUCHED", "it changed")'),
        ('if row["id"] and kind == "touched":', 'if row["id"] and kind == "TOUCHED":'),
        ("\"UPDATE photo SET state = 'failed'\"", "\"UPDATE PHOTO SET STATE = 'FAILED'\""),
        ('note(db, "set from its name")', 'note(db, "SET FROM ITS NAME")'),
        ('" WHERE id = ?"', '"XX WHERE id = ?XX"'),
        ('db.execute("DELETE FROM photo", ids)', 'db.execute("DELETE FROM photo", None)'),
        ('details["dtype"]', 'details["DTYPE"]'),
        ("seq = True", "seq = TRUE"),
    ],
)
def test_any_other_change_is_not_equivalent(before: str, after: str) -> None:
    assert not is_equivalent(difference(before, after))


def test_mutants_without_tests_survive() -> None:
    printed = """
    a.x_f__mutmut_1: killed
    a.x_f__mutmut_2: timeout
    a.x_f__mutmut_3: survived
    a.x_f__mutmut_4: no tests
    a.x_f__mutmut_5: survived
"""
    changes = {"3": ("x = 1", "x = 2"), "4": ("y = 1", "y = 2"), "5": ('"WHERE id = ?"', '"where id = ?"')}
    score = count(read_results(printed), lambda name: difference(*changes[name[-1]]))

    assert (score.killed, score.timeouts, score.equivalent, score.share) == (2, 1, 1, 0.5)
    assert score.survivors == [
        "survived: a.x_f__mutmut_3\n-    x = 1\n+    x = 2",
        "no tests: a.x_f__mutmut_4\n-    y = 1\n+    y = 2",
    ]


@pytest.mark.parametrize("status", ["not checked", "check was interrupted by user", "skipped"])
def test_mutant_without_verdict_is_an_error(status: str) -> None:
    with pytest.raises(RuntimeError, match=f"no verdict on a: {status}"):
        count({"a": status}, lambda _: "")


def test_files_of_all_suites_exist() -> None:
    assert {name: missing_files(suite) for name, suite in SUITES.items()} == {name: [] for name in SUITES}


def test_missing_files_are_named() -> None:
    suite = Suite(("daemon/dogid/gone.py", "daemon/dogid/cli.py"), ("tests/ledger", "tests/test_gone.py::test_it"))

    assert missing_files(suite) == ["daemon/dogid/gone.py", "tests/test_gone.py"]
    with pytest.raises(RuntimeError, match=r"not there: daemon/dogid/gone\.py, tests/test_gone\.py"):
        run(suite)
