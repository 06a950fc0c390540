"""The gateway's settings: environment variables in, one frozen value out, or one message.

Everything that can be known to be wrong is said at once, before anything is connected. Who starts
the gateway reads it: each sentence names the variable and what to do, and no value of a secret.
"""

from productive_gateway.settings.load import SettingsError, load_settings
from productive_gateway.settings.model import Settings

__all__ = ["Settings", "SettingsError", "load_settings"]
