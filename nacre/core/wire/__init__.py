"""Formats as bytes alone: what stands in them is for those who write files to say."""
