"""Names and folders, against a server on this machine that speaks the hub's protocol; nothing leaves 127.0.0.1."""

import hashlib
import json
import logging
import math
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import huggingface_hub.constants
import huggingface_hub.file_download
import huggingface_hub.utils.logging
import pytest
import torch

from hw9.language import bert, hub
from hw9.language.bert import load

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Server(ThreadingHTTPServer):
    """A hub with the models in `models` {name: folder}; the next `cuts` answers with weights stop half way.

    After `patience` requests it answers 503, as a hub does that has too much to do.
    """

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.models, self.cuts, self.asked, self.patience = {}, 0, [], math.inf


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self.reply(body=False)

    def do_GET(self):
        self.reply(body=True)

    def reply(self, body):
        name, _, rest = self.path.strip("/").partition("/resolve/main/")
        self.server.asked.append((self.command, rest))
        if len(self.server.asked) > self.server.patience:
            return self.refuse(503, "")
        if name not in self.server.models:
            return self.refuse(401, "RepoNotFound")
        path = self.server.models[name] / rest
        if not path.is_file():
            return self.refuse(404, "EntryNotFound")
        data = path.read_bytes()
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - start))
        self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        cut = body and self.server.cuts and path.suffix == ".safetensors"
        if cut:
            self.close_connection = True
        self.end_headers()
        if cut:
            # The first answer stops half way, the next ones, which should go on from there, at once.
            self.server.cuts -= 1
            self.wfile.write(data[: len(data) // 2] if not start else b"")
        elif body:
            self.wfile.write(data[start:])

    def refuse(self, status, code):
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch, tmp_path, tiny_folder):
    """The server, with the tiny model as "some/bert", as the only hub there is, and an empty cache."""
    with Server() as server:
        server.models["some/bert"] = tiny_folder
        place = f"http://127.0.0.1:{server.server_port}"
        template = place + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", place)
        monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(huggingface_hub.file_download, "HUGGINGFACE_CO_URL_TEMPLATE", template, raising=False)
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(huggingface_hub.file_download.time, "sleep", lambda _: None)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        server.stop = lambda: (server.shutdown(), thread.join(), server.server_close())
        yield server
        server.stop()


def fails(error, *parts, name="some/bert"):
    """The one line that `load` raises; it holds all `parts`."""
    with pytest.raises(error) as caught:
        load(name, device="cpu")
    message = str(caught.value)
    assert "\n" not in message and len(message) < 330
    for part in parts:
        assert part in message
    return message


def same(model, tiny):
    weights = tiny.model.state_dict()
    assert all(torch.equal(value, weights[key]) for key, value in model.model.state_dict().items())


def test_a_name_is_downloaded_and_read(server, tiny, tmp_path):
    model = load("some/bert", device="cpu")
    assert model.name == "some/bert" and (model.layers, model.heads, model.width) == (3, 4, 32)
    assert model.mask_head is not None and model.answer_head is not None
    same(model, tiny)
    assert Path(model.tokenizer.name_or_path).is_relative_to(tmp_path / "cache")


def test_the_second_time_nothing_is_downloaded_and_no_hub_is_needed(server, tiny):
    load("some/bert", device="cpu")
    server.asked.clear()
    load("some/bert", device="cpu")
    assert {method for method, _ in server.asked} == {"HEAD"}
    server.stop()
    same(load("some/bert", device="cpu"), tiny)


def test_a_hub_that_is_ill_is_asked_once_and_the_cache_is_used(server, tiny):
    load("some/bert", device="cpu")
    server.asked.clear()
    server.patience = 0
    same(load("some/bert", device="cpu"), tiny)
    assert server.asked == [("HEAD", "config.json")]


def test_a_hub_that_falls_ill_half_way(server):
    for patience, file in ((1, "config.json"), (5, "tokenizer.json")):
        server.asked.clear()
        server.patience = patience
        fails(ConnectionError, f"the download of {file} of some/bert broke off", "call load again")


def test_only_one_file_of_weights_is_fetched(server, tiny_folder, tmp_path):
    both = shutil.copytree(tiny_folder, tmp_path / "both")
    (both / "pytorch_model.bin").write_bytes(b"0" * 1000)
    server.models["some/bert"] = both
    load("some/bert", device="cpu")
    assert not any(file == "pytorch_model.bin" for _, file in server.asked)


def test_a_cased_vocabulary_stays_cased(server, tiny_folder, tmp_path):
    """As google-bert/bert-base-cased once was: vocab.txt, and a tokenizer_config.json that says so."""
    cased = shutil.copytree(tiny_folder, tmp_path / "cased")
    (cased / "tokenizer.json").unlink()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "apple", "Apple"]
    (cased / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    (cased / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": False}))
    server.models["some/cased"] = cased
    assert load("some/cased", device="cpu").read("Apple apple").tokens == ["[CLS]", "Apple", "apple", "[SEP]"]


def test_a_name_that_the_hub_does_not_know(server):
    fails(ValueError, "no model 'some/thing' on the hub", "google-bert/bert-base-chinese", name="some/thing")
    fails(ValueError, "did you mean 'google-bert/bert-base-cased'", name="google-bert/bert-base-casd")
    fails(ValueError, "did you mean 'google-bert/bert-base-chinese'", name="bert-base-chinesse")
    assert {method for method, _ in server.asked} == {"HEAD"}


def test_what_is_no_name_at_all_is_asked_of_nobody(server):
    for name in ("", " ", "bert base", "a/b c", "苹果"):
        fails(ValueError, "neither a folder nor a name", name=name)
    assert not server.asked


def test_no_network_and_nothing_in_the_cache(server):
    server.stop()
    fails(ConnectionError, "cannot be reached", "load()", "check the network")


def test_no_network_and_half_a_model_in_the_cache(server):
    server.cuts = 100
    fails(ConnectionError, "broke off")
    server.stop()
    fails(ConnectionError, "cannot be reached", "not whole", "load()")


def test_a_download_that_breaks_off_says_so_and_the_next_one_succeeds(server, tiny):
    server.cuts = 100
    fails(ConnectionError, "the download of model.safetensors of some/bert broke off", "call load again")
    server.cuts = 0
    same(load("some/bert", device="cpu"), tiny)


def test_a_connection_that_drops_once_goes_on_where_it_stopped(server, tiny, caplog, capfd):
    huggingface_hub.utils.logging.set_verbosity_warning()  # as it is by default
    server.cuts = 1
    same(load("some/bert", device="cpu"), tiny)
    assert [method for method, file in server.asked if file == "model.safetensors"].count("GET") == 2
    assert not caplog.records and "Error" not in capfd.readouterr().err
    assert huggingface_hub.utils.logging.get_verbosity() == logging.WARNING


def test_a_model_that_is_no_bert_is_refused_before_its_weights_are_fetched(server, tmp_path):
    for kind in ("gpt2", "t5"):
        folder = tmp_path / kind
        folder.mkdir()
        (folder / "config.json").write_text(f'{{"model_type": "{kind}"}}')
        (folder / "model.safetensors").write_bytes(b"0" * 1000)
        server.models[f"some/{kind}"] = folder
        fails(ValueError, f"some/{kind}", kind, "not a BERT", name=f"some/{kind}")
    assert {file for _, file in server.asked} == {"config.json"}


def test_a_repository_without_a_part(server, tiny_folder, tmp_path):
    for file, error in (("config.json", ValueError), ("tokenizer.json", FileNotFoundError)):
        part = shutil.copytree(tiny_folder, tmp_path / file)
        (part / file).unlink()
        server.models["some/part"] = part
        fails(error, "some/part holds no", file, name="some/part")
    bare = shutil.copytree(tiny_folder, tmp_path / "bare")
    (bare / "model.safetensors").unlink()
    server.models["some/bare"] = bare
    fails(FileNotFoundError, "some/bare holds no model.safetensors or pytorch_model.bin", name="some/bare")


def test_folders(tiny_folder, tmp_path, monkeypatch):
    assert load(str(tiny_folder), device="cpu").name == load(tiny_folder, device="cpu").name == tiny_folder.name
    monkeypatch.chdir(tiny_folder.parent)
    assert load(tiny_folder.name, device="cpu").name == tiny_folder.name
    monkeypatch.setattr(hub, "ROOT", tiny_folder.parent)  # a path may count from the root of the lesson
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tiny_folder.parent))
    for pasted in (f" {tiny_folder.name}/ ", f"'{tiny_folder}'", f"~/{tiny_folder.name}"):
        assert load(pasted, device="cpu").name == tiny_folder.name
    for name in ("./nothing", "/nothing/here", "~/nothing-here", "a/b/c", tmp_path / "nothing"):
        fails(FileNotFoundError, "there is no folder", str(name), name=name)
    fails(ValueError, "is a file", name=tiny_folder / "config.json")
    fails(TypeError, "int", name=3)


def test_the_embedded_folder_is_the_default(tiny_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(hub, "EMBEDDED", tiny_folder)
    assert load(device="cpu").name == tiny_folder.name
    monkeypatch.setattr(hub, "EMBEDDED", tmp_path / "nothing")
    fails(FileNotFoundError, "the embedded model is not at", name=None)
    assert bert.EMBEDDED.parts[-2:] == ("checkpoints", "bert-mini-zh-en")
