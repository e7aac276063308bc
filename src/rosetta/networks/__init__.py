"""Networks of the user's own: how they are named, and the inputs that they are asked about."""
