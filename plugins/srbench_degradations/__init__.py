"""Random degradations: the classical one, and that of Real-ESRGAN."""
