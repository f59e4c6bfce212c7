"""The losses need torch; without it the folder is skipped."""

import pytest

pytest.importorskip("torch", reason="torch is not installed (extra `local`)")
