"""Drift: do the logs of today still look as those of the training did?"""
