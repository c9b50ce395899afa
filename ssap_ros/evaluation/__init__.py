"""Recorded data through the product, and its scores."""
