"""The kinds of `compute.posthuman.network/v1alpha1`, typed; the one place that knows their dicts.

`parse.py` turns an API object into a typed one and back; everybody else works on the typed ones.
"""
