"""`python -m proofbook.cli …`: the command line without its script on the path."""

from proofbook.cli import main

main()
