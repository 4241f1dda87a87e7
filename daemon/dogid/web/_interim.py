"""What the page asks of the web core, until that is there: /events, /classify and the security headers."""

import hashlib
import json
import threading
import time
from collections.abc import Iterator

from flask import Flask, Response, jsonify, request

from dogid.errors import PhotoError
from dogid.ledger import queries
from dogid.model.classifier import best_scores
from dogid.photo import decode
from dogid.service import Service

_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def register(app: Flask, service: Service) -> None:
    lock = threading.Lock()

    @app.get("/events")
    def events() -> Response:
        db = service.reader()
        start = int(request.headers.get("Last-Event-ID") or queries.newest_seq(db))

        def stream() -> Iterator[str]:
            yield ": hello\n\n"
            seq = start
            ends = time.monotonic() + 20
            while time.monotonic() < ends:
                for seq, result in queries.results_since(service.reader(), seq, 100):  # noqa: B020
                    yield f"event: result\nid: {seq}\ndata: {json.dumps(result)}\n\n"
                yield ": beat\n\n"  # a client that is gone is noticed by writing to it
                time.sleep(0.2)

        return Response(stream(), mimetype="text/event-stream", headers={"Cache-Control": "no-store"})

    @app.post("/classify")
    def classify() -> tuple[Response, int]:
        data = request.files["file"].read()
        name = request.files["file"].filename
        with lock:
            classifier = service.model.classifier()
            try:
                photo = decode(data, classifier.size)
            except PhotoError as error:
                return jsonify({"error": {"code": error.code, "message": error.message}}), 422
            scores = best_scores(classifier.classify(photo.pixels), classifier.labels)
        label, score = next(iter(scores.items()))
        document = {
            "id": None, "file": name, "status": "classified", "label": label, "score": score, "scores": scores,
            "sha256": hashlib.sha256(data).hexdigest(), "width": photo.width, "height": photo.height,
            "modified_at": None, "classified_at": None, "model": service.model.file.name,
            "timings_ms": {"decode": 1.0, "invoke": 1.0, "total": 2.0}, "error": None,
        }  # fmt: skip
        return jsonify(document), 200

    @app.after_request
    def headers(answer: Response) -> Response:
        answer.headers["Content-Security-Policy"] = _CSP
        answer.headers["X-Content-Type-Options"] = "nosniff"
        return answer
