"""How the number of Gaussians grows: one interface, four ways, chosen by name."""
