"""Drives the FCM stand-in with firebase-admin. Prints one JSON object: what the client made of it.

The environment's REQUESTS_CA_BUNDLE makes it trust the stand-ins' authority.
"""

import datetime
import json
import os

import firebase_admin
from firebase_admin import credentials, exceptions, messaging

messaging._MessagingService.FCM_URL = (
    os.environ["ENDPOINT"] + "/v1/projects/{0}/messages:send"
)
account = credentials.Certificate(os.environ["FOLDER"] + "/service-account.json")
firebase_admin.initialize_app(account)


def send(token: str) -> dict:
    message = messaging.Message(
        token=token,
        notification=messaging.Notification(title="Your hours start", body="Good morning"),
        data={"event": "hours_start", "agent": "a-1"},
        android=messaging.AndroidConfig(
            priority="high",
            ttl=datetime.timedelta(seconds=900),
            collapse_key="a-1/start",
            notification=messaging.AndroidNotification(tag="a-1/start"),
        ),
    )
    try:
        return {"sent": messaging.send(message)}
    except exceptions.FirebaseError as error:
        return {"error": type(error).__name__, "code": error.code}


print(
    json.dumps(
        {
            "known": send(os.environ["KNOWN"]),
            "gone": send(os.environ["GONE"]),
            "foreign": send(os.environ["FOREIGN"]),
        }
    )
)
