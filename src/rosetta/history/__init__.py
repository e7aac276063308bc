"""Many runs in one DuckDB file: added from their directories, asked by SQL, drawn over time."""
