"""The story on a real cluster: `python -m tests.story` tells it, test_story.py checks it."""
