"""What people look at after a replay: the HTML report, its charts and sample frames."""
