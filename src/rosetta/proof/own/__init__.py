"""Whether a network of the user's own is the same as another: parameters paired, the pairing settled, errors judged."""
