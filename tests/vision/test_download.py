"""Downloads against a server on this machine that drops connections, and against a stand-in for kagglehub."""

import errno
import inspect
import io
import re
import shutil
import sys
import threading
import types
import warnings
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from PIL import Image

from hw9.vision import archives, download, locate
from hw9.vision.download import download_food11, fetch
from hw9.vision.food11 import Food11, find_food11

DATA = bytes(k * 31 % 251 for k in range(300_000))


class Server(ThreadingHTTPServer):
    """Serves `data`; `drops` connections end after `chunk` bytes first, `errors` are answered before that."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.data, self.chunk, self.drops, self.errors, self.ranges = DATA, 100_000, 0, [], True
        self.asked = []  # the Range of each request
        self.url = f"http://127.0.0.1:{self.server_port}/files/food11.zip"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server, wanted = self.server, self.headers.get("Range")
        server.asked.append(wanted)
        if server.errors:
            return self.send_error(server.errors.pop(0))
        start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted and server.ranges else 0
        if start >= len(server.data):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(server.data)}")
            return self.end_headers()
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(server.data) - 1}/{len(server.data)}")
        self.send_header("Content-Length", str(len(server.data) - start))
        self.end_headers()
        end = len(server.data)
        if server.drops:
            server.drops -= 1
            end = start + server.chunk
        self.wfile.write(server.data[start:end])

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(download, "PAUSE", 0)
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch, tmp_path):
    monkeypatch.delenv("HW9_FOOD11", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user-cache"))


def food11_files():
    """{name: JPEG} of a tiny Food-11: one picture per class in training, two classes in the other splits."""
    names = [f"training/{label}_0.jpg" for label in range(11)]
    names += [f"{split}/{label}_0.jpg" for split in ("validation", "evaluation") for label in (0, 1)]
    buffer = io.BytesIO()
    Image.new("RGB", (20, 20), (200, 100, 0)).save(buffer, "JPEG")
    return {name: buffer.getvalue() for name in names}


def food11_zip():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as handle:
        for name, data in food11_files().items():
            handle.writestr(f"food11/{name}", data)
    return buffer.getvalue()


def food11_folder(folder):
    for name, data in food11_files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def test_fetch(server, tmp_path):
    path = fetch(server.url + "?key=secret", tmp_path / "new")
    assert path == tmp_path / "new" / "food11.zip" and path.read_bytes() == DATA
    assert [file.name for file in path.parent.iterdir()] == ["food11.zip"]
    fetch(server.url, tmp_path / "new")
    assert len(server.asked) == 1  # it was there
    fetch(server.url, tmp_path / "new", force=True)
    assert server.asked == [None, None]


def test_dropped_connections_are_resumed(server, tmp_path):
    server.drops = 2
    assert fetch(server.url, tmp_path).read_bytes() == DATA
    assert server.asked == [None, "bytes=100000-", "bytes=200000-"]


def test_two_downloads_to_one_place_give_no_mixture(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "PAUSE", 0)
    original = download.urlopen

    def beside(request, **options):
        response = original(request, **options)
        if len(server.asked) == 1:  # while this one reads
            (tmp_path / "food11.zip.part").write_bytes(b"of another process")
            monkeypatch.setattr(download, "open", lambda path, _: path.open("ab"), raising=False)
        else:
            monkeypatch.setattr(download, "open", open, raising=False)
        return response

    monkeypatch.setattr(download, "urlopen", beside)
    assert fetch(server.url, tmp_path).read_bytes() == DATA and len(server.asked) == 2
    monkeypatch.setattr(download.os, "replace", lambda part, path: (shutil.move(part, path), part.rename(path)))
    assert fetch(server.url, tmp_path, force=True).read_bytes() == DATA  # the other was the first to finish


def test_server_without_ranges_starts_over(server, tmp_path):
    server.drops, server.ranges = 1, False
    assert fetch(server.url, tmp_path).read_bytes() == DATA


def test_the_next_call_goes_on_after_the_last_try(server, tmp_path):
    server.drops, server.chunk = download.TRIES, 10_000
    with pytest.raises(ConnectionError, match=r"failed 4 times \(the connection ended.*40,000 bytes are kept"):
        fetch(server.url, tmp_path)
    assert fetch(server.url, tmp_path).read_bytes() == DATA
    assert server.asked[-1] == "bytes=40000-"


def test_a_part_that_is_complete_or_too_long(server, tmp_path):
    (tmp_path / "food11.zip.part").write_bytes(DATA)
    assert fetch(server.url, tmp_path).read_bytes() == DATA
    assert server.asked == [f"bytes={len(DATA)}-"]
    (tmp_path / "food11.zip").rename(tmp_path / "food11.zip.part")
    server.data = DATA[:1000]  # the file on the server has changed
    assert fetch(server.url, tmp_path).read_bytes() == DATA[:1000]


def test_refusals_are_told_at_once_and_trouble_is_tried_again(server, tmp_path):
    server.errors = [404]
    with pytest.raises(ConnectionError, match=r"food11\.zip: the server says .*404.*; check the address") as caught:
        fetch(server.url + "?key=secret", tmp_path)
    assert "secret" not in str(caught.value) and len(server.asked) == 1
    server.errors = [503, 429]
    assert fetch(server.url, tmp_path).read_bytes() == DATA
    assert len(server.asked) == 4


def test_no_server(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "PAUSE", 0)
    with pytest.raises(ConnectionError, match=r"failed 4 times \(.*refused"):
        fetch("http://127.0.0.1:9/food11.zip", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_interrupt_keeps_what_has_come(server, tmp_path, monkeypatch):
    class Interrupting(download.tqdm):
        def update(self, n=1):
            raise KeyboardInterrupt

    monkeypatch.setattr(download, "BLOCK", 50_000)
    with monkeypatch.context() as patch:
        patch.setattr(download, "tqdm", Interrupting)
        with pytest.raises(KeyboardInterrupt):
            fetch(server.url, tmp_path)
    assert (tmp_path / "food11.zip.part").read_bytes() == DATA[:50_000]
    assert fetch(server.url, tmp_path).read_bytes() == DATA
    assert server.asked[-1] == "bytes=50000-"


def test_full_disk_is_told_before_and_during(server, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        usage = shutil.disk_usage(tmp_path)
        patch.setattr(download.shutil, "disk_usage", lambda folder: usage._replace(free=1000))
        with pytest.raises(OSError, match=r"disk is full while downloading .*make room and run again") as caught:
            fetch(server.url, tmp_path)
        assert caught.value.errno == errno.ENOSPC

    class Full(download.tqdm):
        def update(self, n=1):
            raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(download, "tqdm", Full)
        with pytest.raises(OSError, match=r"disk is full.*food11\.zip\.part") as caught:
            fetch(server.url, tmp_path)
        assert caught.value.errno == errno.ENOSPC
    assert fetch(server.url, tmp_path).read_bytes() == DATA


def test_food11_from_a_url(server, tmp_path, capsys):
    server.data, server.drops, server.chunk = food11_zip(), 1, 3000
    counts = r"training 11 \(not 9,866\), validation 2 \(not 3,430\), evaluation 2 \(not 3,347\)"
    with pytest.warns(UserWarning, match=counts):
        root = download_food11(tmp_path / "food11", source=server.url)
    assert len(Food11(root, "training", 8)) == 11
    assert list((tmp_path / "food11").glob("*.zip*")) == []  # the archive is gone
    asked = len(server.asked)
    with pytest.warns(UserWarning, match="is not the whole of Food-11"):
        again = download_food11(tmp_path / "food11", source=server.url)
    assert len(server.asked) == asked and "already in" in capsys.readouterr().out
    assert len(Food11(again, "training", 8)) == 11
    with pytest.warns(UserWarning, match="is not the whole of Food-11"):
        download_food11(tmp_path / "food11", source=server.url, force=True)
    assert len(server.asked) == asked + 1


def test_a_useless_download_does_not_stay(server, tmp_path):
    server.data = b"<html>please sign in</html>"
    with pytest.raises(ValueError, match="a web page, not an archive"):
        download_food11(tmp_path / "food11", source=server.url)
    assert list((tmp_path / "food11").iterdir()) == []


def test_food11_from_an_archive_leaves_the_archive(tmp_path):
    archive = tmp_path / "mine.zip"
    archive.write_bytes(food11_zip())
    with pytest.warns(UserWarning, match="is not the whole of Food-11"):
        root = download_food11(tmp_path / "food11", source=archive)
    assert archive.exists() and (tmp_path / "food11" / "mine-extracted" / "food11" / "training").is_dir()
    assert root == find_food11(tmp_path / "food11") == tmp_path / "food11"
    with pytest.raises(FileNotFoundError, match=r"absent\.zip: there is no such archive"):
        download_food11(tmp_path / "other", source=tmp_path / "absent.zip")


def test_the_full_counts_give_no_warning(tmp_path, monkeypatch):
    monkeypatch.setattr(locate, "COUNTS", {"training": 11, "validation": 2, "evaluation": 2})
    food11_folder(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert download_food11(tmp_path) == tmp_path


def kaggle(monkeypatch, answer):
    """A stand-in for kagglehub whose dataset_download is `answer`; returns the calls."""
    calls = []

    def dataset_download(handle, path=None, *, force_download=False, output_dir=None):
        calls.append((handle, path, force_download, output_dir))
        return answer()

    module = types.ModuleType("kagglehub")
    module.dataset_download = dataset_download
    monkeypatch.setitem(sys.modules, "kagglehub", module)
    return calls


def test_food11_from_kaggle_is_found_again_where_kaggle_keeps_it(tmp_path, monkeypatch):
    kept = tmp_path / "kagglehub" / "versions" / "1"
    calls = kaggle(monkeypatch, lambda: str(food11_folder(kept)))
    monkeypatch.chdir(tmp_path)
    with pytest.warns(UserWarning, match="is not the whole of Food-11"):
        assert download_food11() == kept
    assert calls == [("trolukovich/food11-image-dataset", None, False, None)]
    assert find_food11("data/food11") == kept
    with pytest.warns(UserWarning, match="is not the whole of Food-11"):
        assert download_food11() == kept
    assert len(calls) == 1
    with pytest.warns(UserWarning, match="is not the whole of Food-11"):
        download_food11(force=True)
    assert calls[1][2] is True
    shutil.rmtree(kept)  # the user has emptied Kaggle's cache
    with pytest.raises(FileNotFoundError, match="does not hold Food-11"):
        find_food11("data/food11")


def test_the_stand_in_has_kagglehubs_signature():
    import kagglehub

    parameters = inspect.signature(kagglehub.dataset_download).parameters
    assert next(iter(parameters)) == "handle" and "force_download" in parameters


def fails(error):
    def answer():
        raise error

    return answer


def test_kaggle_that_cannot_be_reached(tmp_path, monkeypatch):
    for error, reason in (
        (OSError("HTTPSConnectionPool(...): Max retries exceeded\nwith url: ..."), "no connection"),
        (RuntimeError("401 Client Error.\n\nYou don't have permission"), r"401 Client Error\."),
        (ValueError(), "ValueError"),
    ):
        kaggle(monkeypatch, fails(error))
        match = rf"could not be downloaded \({reason}\); check the network, or give an archive"
        with pytest.raises(ConnectionError, match=match) as caught:
            download_food11(tmp_path / "food11")
        assert "\n" not in str(caught.value)
    kaggle(monkeypatch, fails(OSError(errno.ENOSPC, "No space left on device")))
    with pytest.raises(OSError, match="disk is full while downloading") as caught:
        download_food11(tmp_path / "food11")
    assert caught.value.errno == errno.ENOSPC
    kaggle(monkeypatch, fails(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        download_food11(tmp_path / "food11")
    assert list((tmp_path / "food11").iterdir()) == []


def test_without_kagglehub_one_line_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    with pytest.raises(ImportError, match="pip install kagglehub"):
        download_food11(tmp_path / "food11")


def test_half_an_extraction_is_not_taken_for_food11(tmp_path, monkeypatch):
    (tmp_path / "food11").mkdir()
    archive = tmp_path / "food11" / "food11.zip"
    archive.write_bytes(food11_zip())
    original, copied = archives._copy, []

    def interrupted(*call):
        if len(copied) == 3:
            raise KeyboardInterrupt
        copied.append(call)
        original(*call)

    with monkeypatch.context() as patch:
        patch.setattr(archives, "_copy", interrupted)
        with pytest.raises(KeyboardInterrupt):
            find_food11(tmp_path / "food11")
    root = find_food11(tmp_path / "food11")
    assert len(Food11(root, "training", 8)) == 11
