"""The command line, a thin layer over Python calls."""
