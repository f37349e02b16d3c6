"""Themes: what complaints have in common, found, named and counted over time. Pure.

`vectors` and `grouping` import numpy and scikit-learn, so only tasks import them; the rest is plain Python.
"""
