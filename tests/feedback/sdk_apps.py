"""Applications of other people, as one would write them: run in a process of their own against a live server.

python -m tests.feedback.sdk_apps NAME BASE_URL SECRET_KEY [PROVIDER_URL]
"""

from __future__ import annotations

import json
import sys


def langfuse_app(base: str, key: str) -> dict[str, str]:
    """Traces and scores with the public Langfuse SDK, unchanged."""
    from langfuse import Langfuse

    client = Langfuse(
        public_key="pk-shop", secret_key=key, base_url=base, environment="staging", flush_interval=0.2, timeout=60
    )
    assert client.auth_check()
    with client.start_as_current_observation(name="reply", as_type="chain", input={"question": "Where is it?"}) as root:
        with root.start_as_current_observation(name="search", as_type="retriever", input="parcel") as search:
            search.update(output=["Parcels take two days."])
        with root.start_as_current_observation(
            name="model", as_type="generation", model="small-4.1", input=[{"role": "user", "content": "Where is it?"}]
        ) as generation:
            generation.update(
                output="On its way.", usage_details={"input": 12, "output": 3}, cost_details={"total": 0.5}
            )
            generation.score(name="grounded", value=True, data_type="BOOLEAN")
        root.update(output="On its way.")
        trace = root.trace_id
        root.score_trace(name="user-feedback", value=0.0, data_type="NUMERIC", comment="I wanted a date")
    client.create_score(trace_id=trace, name="tone", value="friendly", data_type="CATEGORICAL", score_id="tone-1")
    client.create_score(trace_id=trace, name="tone", value=3.5, data_type="NUMERIC", score_id="tone-2")
    client.create_score(session_id="chat-9", name="solved", value=1.0, score_id="solved-1")
    client.create_score(trace_id=trace, name="quality", value=0.25, score_id="quality-1")
    client.flush()
    client.create_score(trace_id=trace, name="quality", value=0.75, score_id="quality-1")
    client.flush()
    client.shutdown()
    return {"trace": trace}


def openai_app(base: str, key: str, provider: str) -> dict[str, str]:
    """Model calls with the openai SDK under the public OpenTelemetry instrumentation."""
    import os

    os.environ["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = "SPAN_ONLY"
    os.environ["OTEL_SEMCONV_STABILITY_OPT_IN"] = "gen_ai_latest_experimental"
    from openai import OpenAI, OpenAIError
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    tracing = TracerProvider(resource=Resource({"service.name": "shop", "deployment.environment.name": "staging"}))
    exporter = OTLPSpanExporter(
        endpoint=f"{base}/v1/traces",
        headers={"Authorization": f"Bearer {key}"},
        compression=Compression.Gzip,
        timeout=60,
    )
    tracing.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(tracing)
    OpenAIInstrumentor().instrument(tracer_provider=tracing)
    client = OpenAI(base_url=provider, api_key="sk-fake", max_retries=0)
    traces = {}
    with trace.get_tracer("shop").start_as_current_span("reply") as head:
        head.set_attribute("session.id", "chat-9")
        head.set_attribute("gen_ai.prompt.name", "support/reply")
        head.set_attribute("gen_ai.prompt.version", 1)
        traces["good"] = f"{head.get_span_context().trace_id:032x}"
        client.chat.completions.create(model="small-4.1", messages=[{"role": "user", "content": "Where is it?"}])
    with trace.get_tracer("shop").start_as_current_span("reply") as head:
        traces["failed"] = f"{head.get_span_context().trace_id:032x}"
        try:
            client.chat.completions.create(model="small-4.1", messages=[{"role": "user", "content": "[fail:500]"}])
        except OpenAIError:
            pass
    tracing.shutdown()
    return traces


if __name__ == "__main__":
    name, *arguments = sys.argv[1:]
    print(json.dumps({"langfuse": langfuse_app, "openai": openai_app}[name](*arguments)))
