"""`python -m dantaro` is `dantaro`."""

from dantaro.cli import main

if __name__ == "__main__":
    main()
