"""Jobs a second through the operator, beside a bare Kopf handler, on one API server in one run.

Fake nodes (kwok) end every pod at once, so what is measured is the controllers' and the API
server's own work. `python -m benchmarks.throughput --objects 200`.
"""
