"""The SSAP network (PyTorch), for training and export; the node runs the exported ONNX."""
