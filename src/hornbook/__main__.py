"""`python -m hornbook` is the command `hornbook`."""

from hornbook.entry import main

main()
