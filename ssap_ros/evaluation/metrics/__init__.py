"""The metrics: plain arrays in, numbers out."""
