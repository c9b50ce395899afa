"""Annotated images as the public data sets store them, for training and evaluation alike."""
