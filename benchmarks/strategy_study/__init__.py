"""All strategies on the long-tailed Fashion-MNIST of S3, over paired seeds: the tables of docs/results.md."""
