"""The stages of a frame on the CPU: preprocess, affinities, partition, instances, tracking."""
