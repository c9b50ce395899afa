"""The procedural street: scenes with exact ground truth, drawn by a small renderer."""
