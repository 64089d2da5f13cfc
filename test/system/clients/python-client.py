"""A job's program on google-auth for Python: python-client.py FILE refresh | FILE get URL...

FILE is an `external_account` file. Prints one line of JSON for each answer or error; an error of the library does not end it.
"""

import json
import sys

import google.auth
from google.auth.transport.requests import AuthorizedSession, Request

SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]


def tell(attempt):
    try:
        print(json.dumps(attempt()))
    except google.auth.exceptions.GoogleAuthError as error:
        print(json.dumps({"error": type(error).__name__, "message": error.args[0], "retryable": error.retryable}))


def refresh(credentials):
    credentials.refresh(Request())
    return {"token": credentials.token, "valid": credentials.valid}


def get(session, url):
    answer = session.get(url, timeout=20)
    return {"status": answer.status_code, "body": answer.json()}


file, operation, *urls = sys.argv[1:]
credentials, _ = google.auth.load_credentials_from_file(file, scopes=SCOPES)
if operation == "refresh":
    tell(lambda: refresh(credentials))
    tell(lambda: refresh(credentials))
session = AuthorizedSession(credentials)
for url in urls:
    tell(lambda: get(session, url))
