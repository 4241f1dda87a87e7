"""`dogid check`: check whether the daemon would work with these settings. Changes nothing."""

import argparse
import time

from dogid import settings
from dogid.commands.check_machine import check_disk, check_inbox, check_port, check_state, check_watch
from dogid.commands.check_outputs import check_outputs
from dogid.commands.check_result import Check, CheckFailedError, CheckResult, run_check
from dogid.commands.output import print_json, print_table
from dogid.commands.reading_state import load_settings_beside
from dogid.quantities import count_of
from dogid.settings import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the daemon, and --json."""
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    settings.add_flags(parser)


def run(args: argparse.Namespace) -> int:
    """Print a line for each check; return 1 if one failed."""
    results = check_all(load_settings_beside(args))
    ok = all(result.ok for result in results)
    if args.json:
        checks = [{"name": item.name, "ok": item.ok, "detail": item.text} for item in results]
        print_json({"ok": ok, "checks": checks})
    else:
        print_table([(item.verdict, item.name, item.text) for item in results])
    return 0 if ok else 1


def check_all(chosen: Settings) -> list[CheckResult]:
    """Run every check, whether or not others fail."""
    results = [run_check(name, check, chosen) for name, check in _CHECKS.items()]
    if chosen.outputs or chosen.rule:
        results += check_outputs(chosen)
    return results


def _check_model(chosen: Settings) -> tuple[str, ...]:
    from dogid.daemon.model_log import explain_unknown_thresholds
    from dogid.shelf.open_model import choose_model

    opened = choose_model(chosen)
    model, problem = opened.model, opened.found.problem
    proof = "passes its self-test" if model.file.golden else "self-test: unchecked, the file has no golden photo"
    return (
        f"{model.file.path}: {count_of(len(model.labels), 'label')}, fed {model.input.describe()}, {proof}",
        *model.warnings,
        *filter(None, [problem, explain_unknown_thresholds(model, chosen.thresholds)]),
    )


def _check_backend(chosen: Settings) -> str:
    from dogid.model.reference_photo import make_reference_photo
    from dogid.shelf.open_model import open_model

    model = open_model(chosen)
    reference_photo, classifier = make_reference_photo(model), model.classifier()
    began = time.perf_counter()
    deviation = reference_photo.find_deviation(classifier)
    milliseconds = (time.perf_counter() - began) * 1000
    if deviation is not None:
        raise CheckFailedError(f"{model.backend.module}: wrong result: {deviation}; install dogid again")
    return f"{model.backend.module}, {milliseconds:.1f} ms for a small photo"


_CHECKS: dict[str, Check] = {
    "backend": _check_backend,
    "model": _check_model,
    "inbox": check_inbox,
    "watch": check_watch,
    "state": check_state,
    "disk": check_disk,
    "port": check_port,
}
