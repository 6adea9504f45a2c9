"""Loads OSCAL results with the library `oscal` and prints as JSON what it holds of them.

Run in a folder made for it: the library unpacks 160 MB of models into its working folder.
"""

import json
import sys

from oscal import OSCAL

content = OSCAL.load(sys.argv[1])
print(
    json.dumps(
        {
            "model": type(content).__name__,
            "version": content.oscal_version,
            "valid": content.is_valid,
            "checks": content.validation_status,
            "errors": [str(error) for error in content.validation_errors][:5],
        }
    )
)
