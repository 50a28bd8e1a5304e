"""Answer questions over a corpus: shortlist documents, read passages, rank spans by both."""
