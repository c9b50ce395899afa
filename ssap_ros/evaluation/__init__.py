"""Annotated images through the product, and its scores."""
