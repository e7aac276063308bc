"""A network's graph, and each target's rules: translates a network into the text of another framework."""
