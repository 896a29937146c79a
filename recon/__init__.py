"""recon: 3D Gaussian splatting with defocus supervision."""

import os

# OpenMP threads that spin while they wait starve the core as soon as another process takes a
# processor. The choice is read when torch loads libgomp, so it stands before every other import.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
