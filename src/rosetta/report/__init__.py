"""Shows a result: in the terminal, as a self-contained page, and as CSV and Markdown."""
