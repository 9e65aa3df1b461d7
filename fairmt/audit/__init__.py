"""Audit of anybody's predictions: how differently groups are predicted and served, and how sure that is.

One table of labels, predictions and groups is all it needs; nothing is trained or configured. Metrics are
those of `fairmt.metrics`; see ``docs/audit.md``.
"""

from fairmt.audit.audit import Audit, audit_file
from fairmt.audit.write import audit_text, write_audit

__all__ = ["Audit", "audit_file", "audit_text", "write_audit"]
