"""Reads a token a line, and says of each what the documented code makes of it."""
import importlib
import json
import sys

who_is = importlib.import_module(sys.argv[1]).who_is
for line in sys.stdin:
    try:
        print(json.dumps({"sub": who_is(line.strip())["sub"]}))
    except Exception as error:  # each library has its own
        print(json.dumps({"refused": type(error).__name__}))
