"""Result stores: the ResultStore port over obstore, and uploads of people's own data.

An adapter: only bootstrap and the command line import it. How a store is opened is jobkit's, since
a job's pods open the same one.
"""
