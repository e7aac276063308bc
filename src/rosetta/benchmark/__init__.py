"""Conducts a run: proves, schedules and measures its contenders."""
