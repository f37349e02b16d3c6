"""The project's repository: objects and refs as rows, trees, commits, and the protocol."""
