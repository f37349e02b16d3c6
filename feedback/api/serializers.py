"""Shapes of the inbox in the REST API."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from feedback.models import FeedbackEvent, InboxItem, SavedView
from feedback.services import inbox, views
from llmops.common import ids


class Tags(serializers.ListField):
    child = serializers.CharField(max_length=inbox.MAX_TAG)


class Item(serializers.Serializer[Any]):
    id = serializers.SerializerMethodField()
    call = serializers.CharField(source="call_client_id", help_text="the id that the call was sent with")
    state = serializers.CharField()
    needs_label = serializers.BooleanField()
    assignee = serializers.EmailField(source="assignee.email", allow_null=True, default=None)
    thumbs = serializers.IntegerField(allow_null=True, help_text="1 or -1")
    score = serializers.FloatField(allow_null=True)
    excerpt = serializers.CharField()
    has_correction = serializers.BooleanField()
    reactions = serializers.IntegerField(source="events")
    prompt = serializers.CharField(source="artifact_path")
    version = serializers.IntegerField(source="version_number", allow_null=True)
    model = serializers.CharField()
    tags = serializers.SerializerMethodField()
    first_at = serializers.DateTimeField()
    feedback_at = serializers.DateTimeField()

    def get_id(self, item: InboxItem) -> str:
        return ids.public("item", item.uid)

    def get_tags(self, item: InboxItem) -> list[str]:
        return sorted(row.tag for row in item.tags.all())


class Reaction(serializers.Serializer[Any]):
    id = serializers.SerializerMethodField()
    kind = serializers.CharField()
    value = serializers.FloatField(allow_null=True)
    comment = serializers.CharField()
    correction = serializers.JSONField(allow_null=True)
    tags = serializers.ListField(source="tag_list", child=serializers.CharField())
    received_at = serializers.DateTimeField()

    def get_id(self, event: FeedbackEvent) -> str:
        return ids.public("feedback", event.uid)


class CallContent(serializers.Serializer[Any]):
    id = serializers.SerializerMethodField()
    inputs = serializers.JSONField(allow_null=True)
    output = serializers.JSONField(allow_null=True)
    contexts = serializers.JSONField(allow_null=True)
    model = serializers.CharField()
    session = serializers.CharField()
    error = serializers.CharField()
    started_at = serializers.DateTimeField()

    def get_id(self, call: Any) -> str:
        return ids.public("call", call.uid)


class ExampleOf(serializers.Serializer[Any]):
    example = serializers.CharField(source="uid")
    dataset = serializers.CharField(source="dataset_slug")


class WholeItem(serializers.Serializer[Any]):
    """`call` is null until it arrives; `examples` are those that were made of it and are in datasets now."""

    item = Item()
    call = CallContent(allow_null=True)
    feedback = Reaction(many=True)
    examples = ExampleOf(many=True)


class TriageItem(serializers.Serializer[Any]):
    """What is not sent stays as it is."""

    state = serializers.ChoiceField(choices=InboxItem.State.values, required=False)
    assignee = serializers.EmailField(required=False, allow_null=True, help_text="a member's address, or null")
    needs_label = serializers.BooleanField(required=False)
    add_tags = Tags(required=False, max_length=inbox.MAX_TAGS_GIVEN)
    remove_tags = Tags(required=False, max_length=inbox.MAX_TAGS_GIVEN)


class TriageMany(TriageItem):
    items = serializers.ListField(
        child=serializers.CharField(max_length=60), min_length=1, max_length=inbox.MOST_AT_ONCE
    )


class Changed(serializers.Serializer[Any]):
    changed = serializers.IntegerField()
    unknown = serializers.ListField(child=serializers.CharField(), help_text="ids that name no item here")


class Undone(serializers.Serializer[Any]):
    kind = serializers.CharField()
    items = serializers.IntegerField()
    kept = serializers.IntegerField(help_text="items that had changed since, and stay as they are")


class NewExampleOf(serializers.Serializer[Any]):
    dataset = serializers.SlugField(max_length=60)
    expected = serializers.JSONField(required=False, help_text="the right answer; without it, the newest correction")
    split = serializers.CharField(max_length=40, required=False, allow_blank=True, default="")


class View(serializers.Serializer[Any]):
    id = serializers.SerializerMethodField()
    name = serializers.CharField()
    owner = serializers.EmailField(source="owner.email", allow_null=True, default=None)
    is_shared = serializers.BooleanField()
    query = serializers.SerializerMethodField(help_text="the filter, as in `GET /inbox`")

    def get_id(self, view: SavedView) -> str:
        return ids.public("view", view.uid)

    def get_query(self, view: SavedView) -> dict[str, str]:
        return views.query_of(view)


class NewView(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=views.MAX_NAME)
    is_shared = serializers.BooleanField(required=False, default=False)
    query = serializers.DictField(child=serializers.CharField(max_length=300), required=False, default=dict)


class ShareView(serializers.Serializer[Any]):
    is_shared = serializers.BooleanField()


class AskForToken(serializers.Serializer[Any]):
    call = serializers.CharField(max_length=200)
    end_user = serializers.CharField(max_length=200)
    expires_in = serializers.IntegerField(
        required=False, default=86_400, min_value=60, max_value=30 * 86_400, help_text="seconds"
    )


class Token(serializers.Serializer[Any]):
    token = serializers.CharField()
    expires_at = serializers.DateTimeField()
