"""Every picture of the BERT lesson."""
