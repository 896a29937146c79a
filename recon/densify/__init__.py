"""How the number of Gaussians grows: one interface, three ways, chosen by name."""
