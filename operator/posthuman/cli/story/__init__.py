"""The story that must always run: Alice's model becomes Bob's asset, then Charlie's.

`script` and `cast` say what is applied, `facts` and `ending` what came of it; both the demo on this
machine (`tell`) and the one on a cluster stand on them. The manifests are in examples/story/.
"""
