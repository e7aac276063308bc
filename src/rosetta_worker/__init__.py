"""What runs inside a contender's environment: NumPy and the standard library, Python 3.8 and newer."""
