"""Frames into a running node, and what it publishes back."""
