"""Speed and memory of nacre, side by side with its peers. `python -m bench --help`."""
