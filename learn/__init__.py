"""What stands behind ./learn.sh."""
