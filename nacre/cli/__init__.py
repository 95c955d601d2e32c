"""The `nacre` command. `main` parses; each command is one file: parse, call one function, print."""
