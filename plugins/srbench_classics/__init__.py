"""The networks that later work is compared with, from SRCNN to RRDBNet, as a plugin of srbench."""
