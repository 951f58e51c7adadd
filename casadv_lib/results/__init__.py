"""What runs left behind: tables, intervals, claims."""
