"""The steps of a frame, from the image to its instances."""
