"""What `ssap benchmark` measures, one module per benchmark; they look like those of `commands`."""
