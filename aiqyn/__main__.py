"""`python -m aiqyn`."""

from aiqyn.cli import main

main()
