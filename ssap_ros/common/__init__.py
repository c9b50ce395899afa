"""What several rooms share and none of them owns: files, statistics, progress."""
