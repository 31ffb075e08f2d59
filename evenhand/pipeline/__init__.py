"""The graph, and the runners that execute it."""
