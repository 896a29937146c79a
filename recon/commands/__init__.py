"""The subcommands: each a frozen dataclass whose fields are its flags, and whose call runs it."""
