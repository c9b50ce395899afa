"""What became of the frames of a replay: predictions, scores, digests, the summary."""
