"""Other tools' configurations, converted without a server: what becomes what, and what cannot be supported."""
