"""PyTorch definition and trainer of the SALA Lab model family."""
