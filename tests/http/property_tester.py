#!/usr/bin/env python3
"""The public property-based tester (schemathesis) against the served OpenAPI document. Opt-in: `./dev openapi` installs it into build/peers."""
import os
import subprocess
import sys

from server import Client, Server

# Streams do not end; the rest of the arguments go to the tester.
EXCLUDED = ["--exclude-path", "/v1/events"]
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance"


def main():
    server = Server()
    client = Client(server.port)
    client.post("/v1/layers", {"name": "digits", "input_size": 64, "output_size": 10})
    client.post("/v1/layers/digits/seeds/0/load?wait=20", {"artifact_id": "digits-good", "alpha": 0.5})
    client.close()
    tester = os.path.join(os.path.dirname(sys.executable), "schemathesis")
    config = os.path.join(os.path.dirname(os.path.abspath(__file__)), "schemathesis.toml")
    code = subprocess.run([tester, "--config-file", config, "run", f"{server.url}/openapi.yaml", "--checks", CHECKS, *EXCLUDED, *(sys.argv[1:] or ["--max-examples", "50"])]).returncode
    server.stop()
    return code


if __name__ == "__main__":
    sys.exit(main())
