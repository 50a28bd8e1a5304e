"""Fixtures that several modules of the story share."""

from tests.story.bad_jobs import jobs

__all__ = ["jobs"]
