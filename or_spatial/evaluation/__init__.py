"""Metrics, harness, benchmarks and reports."""
