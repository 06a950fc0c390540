"""`python -m productive_operator`."""

from productive_operator.cli import main

if __name__ == "__main__":
    main()
