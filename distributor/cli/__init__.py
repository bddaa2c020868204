"""What staff type: parse, call, print."""
