"""Prints a document, with the credential in GOOGLE_APPLICATION_CREDENTIALS: python3 read_config.py PATH"""

import os
import sys

import google.auth
from google.auth.transport.requests import AuthorizedSession

credentials, _ = google.auth.default()
firestore = os.environ.get("FIRESTORE", "https://firestore.googleapis.com")
document = f"projects/acme-staging/databases/(default)/documents/{sys.argv[1]}"

answer = AuthorizedSession(credentials).get(f"{firestore}/v1/{document}", timeout=30)
answer.raise_for_status()
print(answer.json()["fields"])
