"""Dialects: vendors' own protocols over the same services. One folder per vendor; `settings.VENDORS` names them."""
