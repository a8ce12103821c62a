"""Sentences, a BERT that reads them, and what its attention and hidden states tell."""
