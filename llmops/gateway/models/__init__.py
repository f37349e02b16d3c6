from llmops.gateway.models.attempt import Attempt
from llmops.gateway.models.cache_entry import CacheEntry
from llmops.gateway.models.connection import Connection
from llmops.gateway.models.price import Price

__all__ = ["Attempt", "CacheEntry", "Connection", "Price"]
