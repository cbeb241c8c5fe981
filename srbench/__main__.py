"""`python -m srbench` is the command line."""

from srbench.cli.app import main

if __name__ == "__main__":
    main()
