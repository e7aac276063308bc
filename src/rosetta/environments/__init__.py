"""Where contenders run: virtual environments, worker processes, the client of their protocol."""
