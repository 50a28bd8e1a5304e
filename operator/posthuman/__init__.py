"""posthuman-operator: runs an AI marketplace's GPU jobs where the models live."""

__version__ = "0.1.0"
