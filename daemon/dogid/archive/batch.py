"""One run over an archive, as far as all engines share it: list, see what is missing, have it classified."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from dogid.archive.counts import Counts
from dogid.archive.header import describe_limits, make_header
from dogid.archive.manifest import Manifest, write_manifest
from dogid.archive.outdated_rows import drop_outdated
from dogid.archive.output_folder import Ids, OutputFolder, opening_output
from dogid.archive.remote import is_url, unify_spelling
from dogid.archive.schema import ModelFacts
from dogid.archive.source import Source
from dogid.errors import DogidError, UsageError
from dogid.model.classifier import Model
from dogid.settings import Settings


@dataclass(frozen=True, slots=True)
class Batch:
    """What an engine is given: it classifies the entries of the manifest whose ids are not among done.

    It adds rows to the output by `write_rows` (or part files of the output's schema by other means), and counts them in
    counts. A KeyboardInterrupt leaves what is finished in the folder, and goes on to the caller.
    """

    source: Source
    output: OutputFolder
    manifest: Manifest
    done: Ids
    """Sorted."""
    model: Model
    """Loaded, with embeddings where they are wanted."""
    chosen: Settings
    """Limits of decoding, thresholds, and how many threads (workers)."""
    embeddings: bool
    counts: Counts


def describe_model(model: Model, *, embeddings: bool) -> ModelFacts:
    """Return what results say of a model. Raise UsageError where it gives no embeddings, and they are wanted."""
    network = model.file.network
    if embeddings and network is None:
        raise UsageError(f"{model.file.path}: gives no embeddings: leave out --embeddings")
    sha256 = network.sha256 if embeddings and network is not None else None
    return ModelFacts(model.file.name, model.file.sha256, model.labels, sha256)


def check_places(source: Source, out: str) -> None:
    """Raise UsageError where the output would lie among the photos."""
    place, photos = (unify_spelling(name).rstrip("/") or "/" for name in (out, source.name))
    if is_url(place) or is_url(photos):
        inside = is_url(photos) and f"{place}/".startswith(f"{photos}/")
    else:
        inside = Path(photos).is_dir() and Path(place).resolve().is_relative_to(Path(photos).resolve())
    if inside:
        raise UsageError(f"{out} lies in {source.name}, where its files would be taken for photos: name another place")


def opening_batch_output(
    source: Source, out: str, model: Model, chosen: Settings, *, embeddings: bool
) -> AbstractContextManager[tuple[OutputFolder, bool]]:
    """Open the folder for results of this source and model, as `opening_output`. Raise UsageError."""
    facts = describe_model(model, embeddings=embeddings)
    return opening_output(out, make_header(source.name, source.root, facts, chosen, embeddings=embeddings))


def prepare(
    source: Source,
    output: OutputFolder,
    model: Model,
    chosen: Settings,
    *,
    embeddings: bool,
    raised_limits: bool,
    on_listed: Callable[[int], None],
) -> Batch:
    """List the source anew, and return what an engine needs. on_listed is called with how many were listed so far.

    Raise UsageError where the source cannot be listed, DogidError where the folder cannot be written.
    """
    try:
        output.claim()
        entries = source.iterate_entries()
        manifest = write_manifest(output.storage, output.token, entries, on_listed, locate=source.locate)
        drop_outdated(output, manifest, raised_limits=raised_limits, locate=source.locate)
        output.note_limits(describe_limits(chosen))
    except OSError as error:
        raise DogidError(cannot_write(output, error)) from error
    done = output.read_done(manifest.read_ids())
    counts = Counts(manifest.rows, len(done.ids))
    return Batch(source, output, manifest, done.ids, model, chosen, embeddings, counts)


def cannot_write(output: OutputFolder, error: OSError) -> str:
    """Return the message where the output folder cannot be written, with the way out."""
    return (
        f"{output.title}: {error.strerror or error}: what was finished before is kept; make room, or mend it, and run"
        " the same command again: it does only what is missing"
    )
