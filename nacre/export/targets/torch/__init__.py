"""PyTorch: TorchScript (`torchscript`) and torch.export (`exported`), from one source in Python."""
