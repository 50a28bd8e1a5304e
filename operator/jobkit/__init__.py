"""What runs inside a job's pods: `fetch`, `launch`, `export` and `seal`.

Few dependencies and no Kubernetes: a step gets a plan (plan.py), does one thing, and ends with a
report (report.py) in its termination message. The operator writes plans and reads reports; nothing
else passes between them, but the progress lines in rank 0's log (progress.py).
"""
