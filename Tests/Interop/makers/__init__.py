"""Makes the vectors of Specs/vectors. One module a file; each has `vectors()`, its vectors in a stable order."""
