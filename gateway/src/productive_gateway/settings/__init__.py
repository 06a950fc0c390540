"""The gateway's settings: environment variables in, one frozen value out, or one error.

Everything that is wrong is reported at once, before anything is connected, to whoever starts the
gateway: each message names the variable and what to do, and never quotes a secret.
"""

from productive_gateway.settings.load import SettingsError, load_settings
from productive_gateway.settings.model import Settings

__all__ = ["Settings", "SettingsError", "load_settings"]
