"""A quiz of six questions on a run that is written down."""

import copy
from pathlib import Path

import pytest
from example_run import LIME, NAMES

from hw9.quiz import calls
from hw9.quiz.bank import load_bank
from hw9.quiz.facts import Facts

BANK = Path(__file__).with_name("bank.yaml")


@pytest.fixture
def example():
    return load_bank(BANK)


@pytest.fixture
def run():
    return Facts("cnn", "demo", "0123456789abcdef", copy.deepcopy({"pictures": {"names": NAMES}, "lime": LIME}))


@pytest.fixture
def quiz(tmp_path, monkeypatch):
    """The calls of a notebook, before `begin`, with the example bank; files go to tmp_path."""
    monkeypatch.setenv("HW9_BANK", str(BANK))
    monkeypatch.setenv("HW9_RUNS", str(tmp_path))
    monkeypatch.setattr(calls, "_current", None)
    return calls
