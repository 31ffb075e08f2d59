"""What is kept of the training images in a generator, class by class, to draw from."""
