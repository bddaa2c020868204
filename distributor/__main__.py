"""`python -m distributor` is the `distributor` command."""

from distributor.cli.main import main

main()
