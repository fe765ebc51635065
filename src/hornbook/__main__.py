"""`python -m hornbook` is the command `hornbook`."""

from hornbook.cli.main import main

main()
