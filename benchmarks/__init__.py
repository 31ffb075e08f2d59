"""What is published of evenhand is measured by these commands, each of them `python -m benchmarks.<name>`."""

import evenhand

# Before any of them loads TensorFlow, whose kernels it chooses.
assert evenhand.__version__
