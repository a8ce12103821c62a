"""Homework 9, Explainable AI: see why a CNN and a BERT decide as they do."""
