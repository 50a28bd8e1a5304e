"""Tests of tasks and loading, and the proof of what each model type can do."""
