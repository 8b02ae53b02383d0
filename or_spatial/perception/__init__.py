"""Images in, tracked multi-camera scene graph out."""
