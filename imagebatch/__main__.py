"""`python -m imagebatch`: the same as the console script."""

from imagebatch.cli.main import run

if __name__ == "__main__":
    run()
