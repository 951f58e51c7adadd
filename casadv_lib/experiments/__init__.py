"""Configurations, runs, and the grid that makes them."""
