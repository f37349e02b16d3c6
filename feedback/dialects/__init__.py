"""Feedback as other tools' libraries send it, translated into ours. Pure."""
