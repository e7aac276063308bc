"""What a run leaves on disk: plan, events, result, and the statistics between them."""
