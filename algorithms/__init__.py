"""What runs on the GPUs: one folder an algorithm, each runnable alone. torch lives only here.

Algorithms read folders and write folders. They know nothing of Kubernetes, a chain or an object
store, and import nothing of the operator; `algorithms.shared` is all that they have in common.
"""
