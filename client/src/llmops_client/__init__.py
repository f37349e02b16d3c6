"""The command line of the platform: a client of its REST API, without Django."""

__version__ = "0.1.0"
