"""Data sets by name: where they come from, how they get here safely, whether they are what they should be.

place.py     where sets lie on this machine
unpack.py    archives, safely
fetch.py     source → data folder
traces.py    what a picture's pixels tell: fingerprint, JPEG copy, crop of another
figures.py   bicubic under the rules a figure was published by
verdict.py   lines side by side, findings, and how near a figure must be
lookup.py    pictures looked up among the published ones: which is which, and what is wrong with it
causes.py    why figures are off where no picture is known to be wrong
verify.py    a set → its verdict
gate.py      the verdict of a test set, made at its first use and kept
"""
