"""From a name to a folder: the embedded model, a folder on this machine, or a model of the Hugging Face hub."""

import contextlib
import difflib
import re
from collections.abc import Iterator
from pathlib import Path

from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
)
from huggingface_hub.utils import logging

from hw9.language.loading import TOKENIZERS, WEIGHTS, read_config
from hw9.notebook import ROOT

EMBEDDED = ROOT / "checkpoints" / "bert-mini-zh-en"
# Models that the lesson was tried with; a name that the hub does not know is compared with them.
KNOWN = (
    "google-bert/bert-base-chinese",
    "google-bert/bert-base-cased",
    "google-bert/bert-base-uncased",
    "google-bert/bert-base-multilingual-cased",
    "uer/roberta-base-chinese-extractive-qa",
    "deepset/bert-base-cased-squad2",
    "hfl/chinese-bert-wwm-ext",
)


def find(name: str | Path | None) -> tuple[Path, str]:
    """The folder of a model and what to call it: None is the embedded model, then folders, then names on the hub.

    Raises FileNotFoundError for a folder that is not there, and what `fetch` raises.
    """
    if name is None:
        if not EMBEDDED.is_dir():
            raise FileNotFoundError(
                f"the embedded model is not at {EMBEDDED}: get the whole repository, or give a folder or a hub name"
            )
        return EMBEDDED, EMBEDDED.name
    if not isinstance(name, str | Path):
        raise TypeError(f"name must be a folder, a name on the hub or None, not {type(name).__name__}")
    if isinstance(name, str):
        # As it is pasted: in quotes, as the address of the model's page, with a slash behind.
        name = re.sub(r"^https?://[^/]+/", "", name.strip(" \t\n'\"")).rstrip("/") or name
    folder = Path(name).expanduser()
    # A path may count from the root of the lesson, which is not where a notebook opened alone runs.
    inside = [place for place in (folder, ROOT / folder) if place.is_dir()]
    if inside and str(name).strip():
        return inside[0], inside[0].resolve().name
    if name == EMBEDDED.name:
        return find(None)
    if folder.is_file():
        raise ValueError(f"{name} is a file: give the folder with config.json, tokenizer and weights in it")
    if isinstance(name, Path) or name.startswith((".", "/", "~")) or "\\" in name or name.count("/") > 1:
        raise FileNotFoundError(f"there is no folder {name}: check the path, or give a name like {KNOWN[0]!r}")
    return fetch(name), name


def fetch(name: str) -> Path:
    """The folder in the hub's cache that holds a model's configuration, tokenizer and weights, downloaded if need be.

    Without a network what was downloaded before is used. A model that is no BERT is refused before its weights are
    fetched. Raises ValueError for a name that the hub does not know or a model that is no BERT, ConnectionError where
    the hub cannot be reached or the download breaks off, FileNotFoundError for a model without weights or tokenizer.
    """
    with _quiet():
        online = _on_the_hub(name)
        config = _get(name, "config.json", online)
        if config is None:
            raise _unreachable(name)
        read_config(config.parent, name)
        _get(name, "tokenizer_config.json", online)
        for wanted in (TOKENIZERS, WEIGHTS):
            # One of them will do, in this order; weights come last because they take longest.
            if not any(_get(name, file, online) for file in wanted):
                if not online:
                    raise _unreachable(name)
                raise FileNotFoundError(f"{name} holds no {' or '.join(wanted)}: take another model")
    return config.parent


def _on_the_hub(name: str) -> bool:
    """Whether the hub knows the model (one question, no retries); False where no hub answers."""
    try:
        get_hf_file_metadata(hf_hub_url(name, "config.json"))
    except GatedRepoError as error:
        raise ValueError(f"{name} is open to registered users only: accept its terms, then `hf auth login`") from error
    except RepositoryNotFoundError as error:
        raise ValueError(f"there is no model {name!r} on the hub: {_advice(name)}") from error
    except EntryNotFoundError as error:
        raise ValueError(f"{name} holds no config.json, so it is no model of transformers: {_advice(name)}") from error
    except HFValidationError as error:
        raise ValueError(f"{name!r} is neither a folder nor a name on the hub: {_advice(name)}") from error
    except Exception:  # the library's errors for a line that is down depend on its version
        return False
    return True


def _get(name: str, file: str, online: bool) -> Path | None:
    """One file of the model in the cache, downloaded if it is not there yet; None if the model has no such file."""
    try:
        return Path(hf_hub_download(name, file, local_files_only=not online))
    except LocalEntryNotFoundError as error:
        if online:  # the hub answered a moment ago
            raise _broken(name, file, error) from error
        return None
    except EntryNotFoundError:
        return None
    except Exception as error:  # see above
        raise _broken(name, file, error) from error


def _broken(name: str, file: str, error: Exception) -> ConnectionError:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return ConnectionError(f"the download of {file} of {name} broke off ({reason}): call load again")


def _unreachable(name: str) -> ConnectionError:
    return ConnectionError(
        f"the hub cannot be reached, and {name} is not (or not whole) in the cache: check the network and the name, "
        "or use the embedded model: load()"
    )


def _advice(name: str) -> str:
    tails = {known.split("/")[1]: known for known in KNOWN}
    near = difflib.get_close_matches(name.split("/")[-1].lower(), tails, n=1, cutoff=0.6)
    return f"did you mean {tails[near[0]]!r}?" if near else f"write it like {KNOWN[0]!r}, or give a folder"


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No log lines of the hub's library inside: what goes wrong is said in one line. Progress bars stay."""
    level = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
