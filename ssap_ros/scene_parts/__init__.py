"""What street scenes are made of."""
