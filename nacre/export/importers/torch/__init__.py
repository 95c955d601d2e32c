"""Archives of `torch.export`, `.pt2`: a graph of ATen operators as a program, without PyTorch."""
