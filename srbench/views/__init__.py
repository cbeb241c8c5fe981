"""What pictures of stored runs are drawn from, as plain data: nothing here knows of matplotlib or HTML.

    names.py     runs → what they are called side by side, and in which order
    curves.py    history and timings → curves over steps, epochs and hours
    trade.py     scores → fidelity against perception, with the Pareto front
    scenes.py    runs whose pictures may stand side by side, and the test set they are of
    pictures.py  HR, LR, bicubic, and SR of each run
    crops.py     which pictures and which windows of them are worth a look
    spectra.py   radial power, and detail by octave

curves.py and trade.py load no torch. What is left out of a view stands in its `notes`, a sentence each.
"""
