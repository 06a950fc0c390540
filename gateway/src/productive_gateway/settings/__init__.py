"""The gateway's settings: environment variables in, one frozen value out, or one error.

All errors are reported together, before anything is connected. Each message names the variable and
what to do, and never quotes a secret.
"""

from productive_gateway.settings.load import SettingsError, load_settings
from productive_gateway.settings.model import Settings

__all__ = ["Settings", "SettingsError", "load_settings"]
