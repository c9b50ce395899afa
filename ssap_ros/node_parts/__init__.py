"""What the node is made of: its engine, its cameras with their topics, parameters, diagnostics."""
