"""A scene in the formats of other programs: one exporter a format, in the input's coordinates."""
