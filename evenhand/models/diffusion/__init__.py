"""How diffusion models are made to learn and to draw: preconditioning, paths, solvers, schedules."""
