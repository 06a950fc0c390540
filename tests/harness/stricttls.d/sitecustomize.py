"""Imported by Python as it starts, in the environment `harness.stricttls.STRICT`."""

import ssl

from harness.stricttls import strict

ssl.create_default_context = strict(ssl.create_default_context)
