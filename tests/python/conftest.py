"""What is tested here names models of the plugin `classics`; without it there is nothing to test."""

from srbench.registry import registry

collect_ignore_glob = [] if "espcn" in registry().names("model") else ["test_*.py"]
