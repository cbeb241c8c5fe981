"""A suite file → the runs it spans and how they are scored, or all its mistakes at their lines.

read.py          all of it, in this order
located.py       TOML text → values, each with its line
form.py          what a suite may hold
structure.py     keys and types held against the form
values.py        names, parameters and settings, each by itself
combinations.py  whether each run can be
mistakes.py      what is said of a line
"""
