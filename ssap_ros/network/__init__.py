"""The SSAP network (PyTorch). Only training and export import it; the node runs the exported ONNX."""
