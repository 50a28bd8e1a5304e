"""A purchase through Ocean's compute API, from the asset to the model that comes of it."""
