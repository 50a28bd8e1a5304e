"""The algorithms, on a tiny model: right figures, repeatable, and clear about bad input."""
