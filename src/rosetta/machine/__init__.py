"""What the host is: its processor, memory and GPUs."""
