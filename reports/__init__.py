"""Verdicts and recordings made visible: charts, one self-contained page, a table for the terminal.

Everything starts from a `reports.subject.Subject`, one run. pandas, matplotlib, jinja2 and rich are imported inside the
functions that need them, so that importing this package costs nothing.
"""
