"""Which modules are mutated, and which tests must notice."""

from typing import NamedTuple


class Suite(NamedTuple):
    """Modules that are mutated together, and the tests that are run for them, both relative to the clone."""

    modules: tuple[str, ...]
    tests: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    """Tests that wait for a minute where the code is broken."""
    own_process: bool = False
    """Whether each mutant needs a fresh process: TensorFlow's threads do not survive a fork."""


SUITES = {
    "ledger": Suite(
        ("daemon/dogid/ledger/record.py", "daemon/dogid/ledger/observe.py"),
        (
            "tests/ledger/test_record.py",
            "tests/ledger/test_changed_files.py",
            "tests/ledger/test_renames.py",
            "tests/ledger/test_ledger.py",
            "tests/ledger/test_ids.py",
            "tests/ledger/test_pending.py",
            "tests/ledger/test_histories.py::test_only_so_many_former_versions_are_kept",
            "tests/ledger/test_histories.py::test_renaming_over_a_photo_keeps_no_more_versions",
        ),
        left_out=("tests/ledger/test_ledger.py::test_results_are_recorded_while_the_inbox_hangs",),
    ),
    "photo": Suite(
        ("daemon/dogid/photo/decode.py", "daemon/dogid/photo/jpeg.py", "daemon/dogid/photo/extent/jpeg.py"),
        ("tests/photo",),
    ),
    "retry": Suite(
        ("daemon/dogid/pipeline/retry_policy.py",),
        ("tests/pipeline/test_retry_policy.py",),
    ),
    "scores": Suite(
        ("daemon/dogid/model/output_scores.py",),
        ("tests/model/test_output_scores.py",),
    ),
    "gate": Suite(
        ("daemon/dogid/evaluation/compare.py", "daemon/dogid/evaluation/metrics.py"),
        ("tests/evaluation",),
    ),
    "training": Suite(
        ("convert/dogid_convert/training/fine_tuning.py", "convert/dogid_convert/training/early_stopping.py"),
        ("tests/convert/training/test_training_step.py", "tests/convert/training/test_early_stopping.py"),
        own_process=True,
    ),
}
