"""Formats that graphs are written in."""
