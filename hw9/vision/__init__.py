"""Pictures, a classifier, and five ways to see why it decided as it did."""
