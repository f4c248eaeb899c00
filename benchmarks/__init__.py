"""What `make bench` runs: every figure beside a yardstick measured in the same run."""
