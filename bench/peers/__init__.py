"""One module for each peer; run as `python -m bench.peers.<name> '<request as JSON>'`."""
