import pytest
from transformers import BertConfig


@pytest.fixture
def tiny() -> BertConfig:
    """A BERT of two layers and 40 tokens, without dropout."""
    return BertConfig(
        vocab_size=40, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
