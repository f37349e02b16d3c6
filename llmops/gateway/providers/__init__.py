"""One adapter per file; llmops.gateway.registry is the only importer."""
