"""Data sets: read as a stream, tokenised to disk, held out, ordered. Memory stays flat."""
