"""Training of the SSAP network (PyTorch)."""
