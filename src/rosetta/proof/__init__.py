"""Whether a contender computes the same network; knows no run."""
