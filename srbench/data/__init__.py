"""Public data sets by name: got here safely, and held against what is published of them."""
