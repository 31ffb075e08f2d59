"""The sides of `benchmarks.versus_pytorch`: a program for each network and framework, all answering the same questions.

`agree(path, ...)` writes or reads weights and outputs, so that both sides are the same network; `ways()` names how a
side can run; `prepare(way)` builds it and takes the first steps; `seconds(way, steps)` is the time of one step. What is
named `pytorch_…` runs in an environment with PyTorch and without evenhand.
"""
