"""From the tensor graph to a plan that code is written from: which functions it computes, in which order."""
