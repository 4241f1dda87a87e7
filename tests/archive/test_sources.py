"""Where the photos of an archive may be: folders and lists; and what is refused."""

import hashlib
import os
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dogid.archive.folder import Folder
from dogid.archive.manifest_file import ManifestFile
from dogid.archive.remote_folder import RemoteFolder
from dogid.errors import PhotoCode, PhotoError, UsageError
from tests.archive.archives import Batch, results_of
from tests.support.photos import photo, put, put_all


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three photos, one of which has a name that is not UTF-8."""
    folder = put_all(tmp_path_factory.mktemp("photos"), {"a.jpg": photo(1), "in/b.jpg": photo(2)})
    put(Path(os.fsdecode(os.fsencode(folder) + b"/\xff.jpg")), photo(3))
    return folder


def _csv(photos: Path) -> bytes:
    outside = os.fsencode(photos / "a.jpg")
    return (
        b'\xef\xbb\xbfcamera,path\n1,a.jpg\n1,in/b.jpg\n2,"\xff.jpg"\n2,a.jpg\n2,gone.jpg\n1,\n'
        + b"3,"
        + outside
        + b"\n"
    )


def _lines(photos: Path) -> bytes:
    return b"a.jpg\r\nin/b.jpg\n\xff.jpg\na.jpg\n\ngone.jpg\n" + os.fsencode(photos / "a.jpg") + b"\n"


def _parquet(photos: Path) -> bytes:
    names = ["a.jpg", "in/b.jpg", "%FF.jpg", "a.jpg", "gone.jpg", None, str(photos / "a.jpg")]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"camera": [1] * 7, "file": names}), sink)
    data: bytes = sink.getvalue().to_pybytes()
    return data


@pytest.mark.parametrize(("name", "make"), [("l.csv", _csv), ("l.txt", _lines), ("l.parquet", _parquet)])
def test_lists_of_photos_are_read(name: str, make: object, batch: Batch, photos: Path, tmp_path: Path) -> None:
    assert callable(make)
    put(photos / name, make(photos))
    run = batch(photos / name, tmp_path / "out")
    (photos / name).unlink()

    found = {file: result["error"] and result["error"]["code"] for file, result in results_of(tmp_path / "out").items()}
    assert found == {"a.jpg": None, "in/b.jpg": None, "%FF.jpg": None, "gone.jpg": "vanished"}
    assert run.status == 1
    assert len(run.summary["problems"]) == (name != "l.txt")  # an empty line is none


def test_sizes_and_dates_of_a_list_are_believed(batch: Batch, photos: Path, tmp_path: Path) -> None:
    text = "path,size,mtime\na.jpg,{},1700000000.5\n"
    listed = put(photos / "dated.csv", text.format(1).encode())
    assert batch(listed, tmp_path / "out").summary["new"] == 1
    assert batch(listed, tmp_path / "out").summary["new"] == 0
    put(listed, text.format(2).encode())
    assert batch(listed, tmp_path / "out").summary["new"] == 1
    listed.unlink()


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("missing", "there is no such folder or manifest"),
        ("a.jpg", "neither a folder nor a list of photos"),
        ("bad.csv", "has no column of paths among name, camera: name it path (or file, url, filename, key)"),
        ("bad-quote.csv", "bad-quote.csv, line 3: is there a quote"),
        ("bad.parquet", "the list of photos cannot be read"),
        ("nofs://bucket/x", "Protocol not known"),
    ],
)
def test_unusable_sources_are_refused_with_the_reason(
    source: str, reason: str, batch: Batch, photos: Path, tmp_path: Path
) -> None:
    if source.startswith("bad"):
        put(tmp_path / source, b'file\na\n"b\nc\nd\n' if "quote" in source else b"name,camera\n1,2\n")
    place = source if "://" in source else (tmp_path if source.startswith("bad") else photos) / source
    run = batch(place, tmp_path / "out")

    assert (run.status, run.stdout) == (2, "")
    assert reason in run.stderr


def test_names_that_look_alike_are_two_photos(batch: Batch, tmp_path: Path) -> None:
    names = (b"a\xff.jpg", b"a%FF.jpg")
    for number, name in enumerate(names):
        put(Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)), photo(number))
    listed = put(tmp_path / "list.txt", b"\n".join(names))
    assert batch(listed, tmp_path / "out").summary["counts"] == {"classified": 2, "failed": 0}
    found = results_of(tmp_path / "out")
    assert set(found) == {"a%FF.jpg", "a%25FF.jpg"}
    assert found["a%FF.jpg"]["sha256"] == hashlib.sha256(photo(0)).hexdigest()


@pytest.mark.parametrize("cells", ["nan,1", "1e300,1", "1,nan", "1,1e300", "1,9999-99-99", f"{1 << 70},1"])
def test_impossible_cells_of_a_list_are_named(cells: str, tmp_path: Path) -> None:
    listed = ManifestFile(str(put(tmp_path / "list.csv", f"path,size,mtime\na,{cells}\nb,1,1\n".encode())))
    assert [entry.file for entry in listed.iterate_entries()] == ["a", "b"]
    (problem,) = listed.list_problems()
    assert "a size or a date that is none" in problem


def test_disk_that_goes_away_has_no_photo_vanished(tmp_path: Path) -> None:
    put(tmp_path / "in" / "a.jpg", photo(1))
    folder = Folder(tmp_path / "in")
    (entry,) = folder.iterate_entries()
    (tmp_path / "in" / "a.jpg").unlink()
    with pytest.raises(PhotoError, match="removed") as gone:
        folder.read(entry, 1000)
    (tmp_path / "in").rename(tmp_path / "away")
    (tmp_path / "in").mkdir()  # a mount point without its disk
    with pytest.raises(PhotoError, match="was its disk unmounted") as unmounted:
        folder.read(entry, 1000)
    assert (gone.value.code, unmounted.value.code) == (PhotoCode.VANISHED, PhotoCode.UNREADABLE)


def test_remote_folder_that_goes_away_is_a_problem(tmp_path: Path) -> None:
    put_all(
        tmp_path, {"a.jpg": b"123", ".hidden.jpg": b"1", "in/b.jpg": b"12", "in/deep/c.jpg": b"1", "out/d.jpg": b"1"}
    )
    folder = RemoteFolder(f"file://{tmp_path}/")
    found = {}
    for entry in folder.iterate_entries():
        found[entry.file] = entry.size
        shutil.rmtree(tmp_path / "out", ignore_errors=True)

    assert found == {"a.jpg": 3, "in/b.jpg": 2, "in/deep/c.jpg": 1}
    (problem,) = folder.list_problems()
    assert problem.startswith(f"{tmp_path}/out: there is no such bucket or folder")
    assert [entry.size for entry in RemoteFolder(f"file://{tmp_path}/in").iterate_entries()] == [2, 1]
    with pytest.raises(UsageError, match=f"file://{tmp_path}/out: cannot be listed: there is no such bucket or folder"):
        list(RemoteFolder(f"file://{tmp_path}/out").iterate_entries())


def test_remote_photo_is_read_within_the_limit(tmp_path: Path) -> None:
    put(tmp_path / "a.jpg", bytes(100))
    folder = RemoteFolder(f"file://{tmp_path}")
    (entry,) = folder.iterate_entries()

    assert folder.read(entry, 100) == (bytes(100), 100, entry.modified_us)
    for size, found in ((100, "100 bytes"), (3, "100 bytes or more"), (None, "100 bytes or more")):
        with pytest.raises(PhotoError, match=rf"^{found}; at most 99 are read \(max_bytes\)") as large:
            folder.read(entry._replace(size=size), 99)
        assert large.value.code == PhotoCode.TOO_LARGE
    (tmp_path / "a.jpg").unlink()
    with pytest.raises(PhotoError, match="removed before it could be read") as gone:
        folder.read(entry, 100)
    assert gone.value.code == PhotoCode.VANISHED


def test_empty_folder_is_said_to_be_empty(batch: Batch, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    run = batch(tmp_path / "in", tmp_path / "out")
    assert (run.status, run.summary["photos"]) == (0, 0)
    assert f"no photos were found in {tmp_path}/in" in run.stderr


def test_output_of_another_kind_is_refused_by_name(batch: Batch, photos: Path, tmp_path: Path) -> None:
    out, other = tmp_path / "out", put_all(tmp_path / "other", {"note.txt": b"mine"})
    model = Path("models/dogid.tflite").absolute()
    put(tmp_path / "own.tflite", model.read_bytes() + b"\0")
    batch(photos, out)
    header = (out / "dogid-batch.json").read_text()

    for flags, reason in (
        (("--embeddings",), "has no embeddings: leave out --embeddings"),
        (("--normalisation", "0..1"), "its model was run with"),
    ):
        run = batch(photos, out, *flags)
        assert (run.status, run.stdout) == (2, "")
        assert reason in run.stderr
    assert "other files in it" in batch(photos, other).stderr
    for place in (photos / "out", f"file://{photos}/out"):
        assert "would be taken for photos" in batch(photos, place).stderr
    assert f"has results of {photos}, and these photos are in {photos}/in" in batch(photos / "in", out).stderr
    changed = header.replace('"sha256": "', '"sha256": "00')
    (out / "dogid-batch.json").write_text(changed)
    assert "has answers of the model dogid.tflite (SHA-256 00" in batch(photos, out).stderr
    (out / "dogid-batch.json").write_text(header.replace('"schema": 1', '"schema": 99'))
    assert "its results have schema 99" in batch(photos, out).stderr
    (out / "dogid-batch.json").write_text("{")
    assert "is damaged" in batch(photos, out).stderr
    (out / "dogid-batch.json").write_text(header)
    assert batch(photos, out).summary["new"] == 0


def test_damaged_part_file_is_named_with_the_way_out(batch: Batch, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    batch(photos, out)
    (part,) = (out / "results").iterdir()
    whole = part.read_bytes()
    for damaged in (whole[:-100], whole[:4] + bytes(len(whole) // 2) + whole[4 + len(whole) // 2 :]):
        part.write_bytes(damaged)
        run = batch(photos, out)
        assert (run.status, f"{part} is damaged" in run.stderr, "delete it" in run.stderr) == (1, True, True)

    part.unlink()
    assert batch(photos, out).summary["new"] == 3


def test_disk_that_goes_away_ends_the_run(batch: Batch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dogid.archive.unreadable_photos._MOST", 5)
    lines = "".join(f"nofs://bucket/{number}.jpg\n" for number in range(50))
    listed = put(tmp_path / "list.txt", lines.encode())
    run = batch(listed, tmp_path / "out", "--workers", "1")

    assert (run.status, run.stdout) == (1, "")
    assert "the last 5 photos could not be read (nofs://bucket/5.jpg" in run.stderr
    assert batch(listed, tmp_path / "out", "--workers", "1").status == 1
