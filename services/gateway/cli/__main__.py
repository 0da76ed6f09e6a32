"""`python -m services.gateway.cli --help` tells what there is."""

from services.gateway.cli.application import main

if __name__ == "__main__":
    main()
