#!/usr/bin/env bash
# The token that goes with a push message names a push service at a port of its own without the port.
#
# Expected: the audience is the origin of the subscription's endpoint (RFC 8292, section 2), to which a port belongs
#   that is not the scheme's own (RFC 6454, section 6.2): https://push.example:8443.
# Seen on 2026-11-29 with webpush 1.0.6: https://push.example.
# Whom it touches: notifications through a push service of one's own (self-hosted autopush, a test endpoint), which
#   refuses a token that is meant for another origin. The large browsers' services are at port 443.
# What to do: make the token oneself, with the endpoint's whole origin.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check webpush==1.0.6
cat > seen.py <<'PY'
import sys
from importlib.metadata import version
from io import BytesIO

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from pydantic import AnyHttpUrl
from webpush.vapid import VAPID

ENDPOINT = "https://push.example:8443/send/abc"
key = ec.generate_private_key(ec.SECP256R1())
private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


header = VAPID(BytesIO(private), BytesIO(public)).get_authorization_header(AnyHttpUrl(ENDPOINT), "a@b.example", 3600)
token = header.split("t=")[1].split(",")[0]
seen = jwt.decode(token, options={"verify_signature": False})["aud"]
print("webpush", version("webpush"), "names", seen, "for", ENDPOINT)
if seen != "https://push.example":
    print("changed:", seen)
    sys.exit(1)
print("as stated")
PY
venv/bin/python seen.py
