"""What serves the method: checks, files, checkpoints, the watch for a collapse, fast kernels."""
