"""Receipts: what a finished job used and left, signed, so that anyone can check it."""
