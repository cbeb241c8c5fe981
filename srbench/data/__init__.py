"""Data sets by name: where they come from, how they get here safely, whether they are what they should be.

facts.py     what is known of a set: sources, terms, sizes, published figures
place.py     where sets lie on this machine
unpack.py    archives, safely
fetch.py     source → data folder
traces.py    what a picture's pixels tell: fingerprint, JPEG copy, crop of another
figures.py   bicubic under the rules a figure was published by
verify.py    a set → its verdict, side by side with what is published, with likely causes
gate.py      the verdict of a test set, made at its first use and kept
"""
