"""Model bundles and the sessions that run them: numpy in, numpy out."""
