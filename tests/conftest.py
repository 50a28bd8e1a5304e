"""What every suite shares: the fixtures for real services."""

pytest_plugins = [
    "tests.suite_times",
    "tests.services.chain",
    "tests.services.cluster",
    "tests.services.s3",
    "tests.services.world",
]
