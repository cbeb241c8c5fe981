"""`srbench report`: everything about runs in one HTML file that needs nothing else.

    content.py     runs → all that the page says
    summary.py     the table and what it can be filtered by
    charts.py      curves, perception against distortion, spectra
    pictures.py    the pictures that there is room for
    worst.py       single pictures, the worst first
    provenance.py  where runs come from
    paths.py       what of paths is said to others
    page.py        all of it → HTML, under a size
    embed.py       what a page carries inside itself, and its Content-Security-Policy
    place.py       where it can be written, and the writing
    watch.py       the same again as runs go on
    templates/     its HTML; `assets/`: its scripts and styles

Charts are drawn by plotly.js in the browser, from data that stand in the page.
"""
