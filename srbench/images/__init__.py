"""Pictures: decoding, colour, resizing, the store of training pixels, downloads."""
