"""TensorRT on an NVIDIA GPU, the kernels around it and the files of built engines."""
