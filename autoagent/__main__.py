"""`python -m autoagent` is the command `autoagent`."""

from autoagent.cli.app import main

if __name__ == "__main__":
    main()
