"""Networks that the project trains itself, and how they are trained."""
