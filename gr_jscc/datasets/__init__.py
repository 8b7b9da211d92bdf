"""One reader of pictures for training and sweeps: folders of photos, CIFAR-10."""
