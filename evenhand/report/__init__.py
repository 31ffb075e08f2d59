"""Turns the evidence of a run into `result.json`, `report.html` and `report.md`."""
