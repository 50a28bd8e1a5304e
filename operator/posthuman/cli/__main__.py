"""`python -m posthuman.cli`."""

from posthuman.cli.app import main

if __name__ == "__main__":
    main()
