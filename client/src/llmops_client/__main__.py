"""`python -m llmops_client`"""

from __future__ import annotations

import sys

from llmops_client.cli import main

sys.exit(main())
