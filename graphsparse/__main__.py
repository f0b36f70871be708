"""``python -m graphsparse``: the command line."""

from graphsparse.cli import main

if __name__ == "__main__":
    main()
