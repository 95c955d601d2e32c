"""Scripts in this folder that need real Keras are no tests."""

collect_ignore = ["make_layouts.py"]
