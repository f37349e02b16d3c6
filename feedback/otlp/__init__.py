"""From what OpenTelemetry exporters send to calls with spans. Pure: bytes or JSON in, dataclasses out.

`wire` reads protobuf and JSON, `attributes` reads nested names, `conventions` knows what the instrumentations call
things, `steps` makes a span of ours of each of theirs, `mapping` makes one call of the spans of a trace.
"""
