"""Write `compile_forms.json`: what Keras reports for each form of the arguments of `compile`.

Names of forms as arguments: these are tried and printed, nothing is written.
"""

from __future__ import annotations

import sys
from typing import Any

import oracle  # isort: skip
import keras
from cases.compile_forms import FORMS, Form, result_of


def result(form: Form) -> dict[str, Any]:
    keras.backend.clear_session()
    try:
        return result_of(keras, form)
    except Exception as error:  # whatever Keras says: only that it refuses is kept
        return {"refused": type(error).__name__}


def main() -> int:
    chosen = sys.argv[1:]
    facts = {name: result(form) for name, form in FORMS.items() if not chosen or name in chosen}
    if chosen:
        print(facts)
    else:
        oracle.write_facts("compile_forms", facts)
    return 0


if __name__ == "__main__":
    sys.exit(main())
