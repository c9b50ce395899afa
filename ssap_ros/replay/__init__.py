"""Recordings through the node: bags in; recordings, scores and reports out."""
