"""The views: the page itself, and all below /page."""

from collections.abc import Sequence
from http import HTTPStatus

from flask import Response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from dogid.ledger import queries
from dogid.ledger.drift import PHOTOS_A_WEEK
from dogid.ledger.reviews import count_reviews
from dogid.outputs.trial_messages import DISCARD, RETRY
from dogid.result_document import Result
from dogid.reviewing.review_order import ORDERS
from dogid.shelf.listing import ListedModel, describe_choice
from dogid.web.api.contradictions import answer_contradictions, list_contradictions
from dogid.web.api.learning import start_learning
from dogid.web.api.models import change_model
from dogid.web.api.responses import json_response, prefers_page
from dogid.web.api.reviews import MAX_BODY, describe_client, write_word
from dogid.web.api.upload import StoredPhoto
from dogid.web.daemon_view import DaemonView
from dogid.web.errors import ApiError
from dogid.web.older_answers import OlderAnswers
from dogid.web.pages import status_panel
from dogid.web.pages.contradiction_panel import build_panel
from dogid.web.pages.disk_usage import Disk
from dogid.web.pages.failed_groups import MOST, group_failed
from dogid.web.pages.learning_report import summarize_report
from dogid.web.pages.output_panel import list_outputs
from dogid.web.pages.photo_views import PhotoViews
from dogid.web.pages.pictures import not_modified_response
from dogid.web.pages.rendering import load_asset, render_page
from dogid.web.pages.review_form import local_path, read_review
from dogid.web.pages.review_panel import describe_progress, label_buttons, list_last_steps
from dogid.web.recent_drift import RecentDrift


class Pages(PhotoViews):
    """The views of one daemon, with their caches."""

    def __init__(self, daemon: DaemonView, older_answers: OlderAnswers, drift: RecentDrift) -> None:
        super().__init__(daemon)
        self._disks = Disk(daemon.inbox), Disk(daemon.state)
        self._older_answers, self._drift = older_answers, drift

    def status(self) -> Response:
        """Return the page of the daemon's state: what runs, what fails, and how answers change over the weeks."""
        return render_page(
            "status.html",
            health=status_panel.health_item(self._daemon),
            status_items=status_panel.status_items(self._daemon, *self._disks, self._older_answers),
            outputs=list_outputs(self._daemon.outputs),
            failed=group_failed(self._daemon.reader()),
            failed_count=queries.count_present_by_status(self._daemon.reader())["failed"],
            most_failed=MOST,
            drift=self._drift.read(self._daemon.reader(), self._daemon.settings.thresholds),
            drift_photos=PHOTOS_A_WEEK,
        )

    def upload(self, stored: Sequence[StoredPhoto] = ()) -> Response:
        """Return the page from which photos are put into the inbox. stored: what a form has just brought."""
        return render_page(
            "upload.html",
            stored=stored,
            health=status_panel.health_item(self._daemon),
            inbox=status_panel.inbox_path(self._daemon),
            max_upload=self._daemon.settings.max_upload,
        )

    def refused_upload(self, error: ApiError) -> Response:
        """Return the page that says why an upload was refused."""
        if error.code == "no_photo":  # its message is for programs
            error = ApiError(error.status, error.code, "No photo was chosen, or the file is empty.")
        return self._refuse(error, "/page/upload")

    def missing(self, status: int) -> Response:
        """Return the page that says that there is none at an address, with a status."""
        return render_page("missing.html", status=status, photo_id=None)

    def review(self, results: Sequence[Result], order: str) -> Response:
        """Return the page on which people review photos: these results, chosen in this order."""
        db, labels = self._daemon.reader(), self._daemon.model.labels
        return render_page(
            "review.html",
            results=results,
            order=order,
            orders=ORDERS,
            buttons=label_buttons(db, labels),
            progress=describe_progress(db, labels),
            steps=list_last_steps(db),
            older=self._older_answers.count(db, self._daemon.model.file.sha256),
            health=status_panel.health_item(self._daemon),
        )

    def say(self) -> AnyResponse:
        """Write what a form says about photos, and go back to where it was sent from."""
        request.max_content_length = MAX_BODY
        back = local_path(request.form.get("back"))
        try:
            sent = read_review(request.form, describe_client())
            written = write_word(self._daemon, sent.ids, sent.word)
        except ApiError as error:
            return self._refuse(error, back)
        if prefers_page():
            return redirect(back, HTTPStatus.SEE_OTHER)
        return json_response(
            {
                "written": written,
                "progress": describe_progress(self._daemon.reader(), self._daemon.model.labels),
            }
        )

    def models(self, shelf: Sequence[ListedModel]) -> Response:
        """Return the page of the models on the shelf."""
        file, db = self._daemon.model.file, self._daemon.reader()
        learning = self._daemon.learning.last_run()
        return render_page(
            "models.html",
            progress=describe_progress(db, self._daemon.model.labels),
            has_reviews=any(count_reviews(db)[verdict] for verdict in ("labelled", "confirmed")),
            is_learning=learning.running,
            learning_error=learning.error,
            contradictions=build_panel(db, list_contradictions(self._daemon)),
            report=learning.report and summarize_report(db, learning.report),
            shelf=shelf,
            running=file.name,
            choice=describe_choice(self._daemon.found_model, file),
            health=status_panel.health_item(self._daemon),
        )

    def change_model(self) -> AnyResponse:
        """Do what a form asks for: activate the model that it names, roll back, or learn."""
        request.max_content_length = MAX_BODY
        name = request.form.get("activate", "")
        try:
            if "learn" in request.form:
                start_learning(self._daemon, activate=False)
            elif "roll_back" in request.form:
                change_model(self._daemon.roll_back_model)
            else:
                change_model(lambda: self._daemon.activate_model(name))
        except ApiError as error:
            return self._refuse(error, "/models")
        return redirect("/models", HTTPStatus.SEE_OTHER)

    def change_output(self) -> AnyResponse:
        """Send again what an output refused, or forget it, as a form says, and go back to the outputs."""
        request.max_content_length = MAX_BODY
        action, name = request.form.get("action", ""), request.form.get("output", "")
        if action not in (RETRY, DISCARD):
            return self._refuse(ApiError(HTTPStatus.BAD_REQUEST, "bad_request", "choose what to do"), "/status#outputs")
        outcome = self._daemon.outputs.change_refused(action, name)
        if not outcome.ok:
            return self._refuse(ApiError(HTTPStatus.CONFLICT, "no_output", outcome.detail), "/status#outputs")
        return redirect("/status#outputs", HTTPStatus.SEE_OTHER)

    def answer(self) -> AnyResponse:
        """Write what a form answers about photos of the model's training; nothing takes the answer back."""
        request.max_content_length = MAX_BODY
        form = request.form
        try:
            photos = [one for text in form.getlist("photos") for one in text.split(",")]
            answer_contradictions(self._daemon, photos, form.get("answer") or None, form.get("label"), None)
        except ApiError as error:
            return self._refuse(error, "/models#contradictions")
        return redirect("/models#contradictions", HTTPStatus.SEE_OTHER)

    def _refuse(self, error: ApiError, back: str) -> Response:
        """Return the page that says why a form was refused. Raise the error where a script has sent it."""
        if not prefers_page():
            raise error
        return render_page("refused.html", status=error.status, message=error.message, back=back)

    def login(self) -> Response:
        """Return the form for the token."""
        return render_page("login.html", failed="failed" in request.args)

    def static(self, name: str) -> Response:
        """Return a style sheet, a script or a drawing."""
        try:
            data, media_type, version = load_asset(name)
        except KeyError:
            return self.missing(HTTPStatus.NOT_FOUND)
        response = not_modified_response(version) or Response(data, mimetype=media_type)
        response.set_etag(version)
        if request.args.get("v") == version:
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        else:
            response.headers["Cache-Control"] = "no-cache"
        return response
