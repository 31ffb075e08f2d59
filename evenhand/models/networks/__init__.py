"""Networks of the generators, and the layers that they share; a generator's file says how they are trained."""
