"""Drives the APNs stand-in with aioapns. Prints one JSON object: what the client made of it."""

import asyncio
import json
import os
import ssl

from aioapns import APNs, NotificationRequest, PushType
from aioapns.connection import APNsProductionClientProtocol


async def main() -> None:
    folder = os.environ["FOLDER"]
    APNsProductionClientProtocol.APNS_SERVER = "localhost"
    APNsProductionClientProtocol.APNS_PORT = int(os.environ["PORT"])
    with open(f"{folder}/AuthKey_DEMO123456.p8", encoding="ascii") as key:
        client = APNs(
            key=key.read(),
            key_id="DEMO123456",
            team_id="DEMOTEAM01",
            topic="com.example.agent",
            ssl_context=ssl.create_default_context(cafile=f"{folder}/ca.pem"),
        )

    async def send(token: str, topic: str | None = None) -> dict:
        request = NotificationRequest(
            device_token=token,
            message={"aps": {"alert": {"title": "Your hours start"}}},
            time_to_live=900,
            priority=10,
            collapse_key="a-1/start",
            push_type=PushType.ALERT,
            apns_topic=topic,
        )
        result = await client.send_notification(request)
        return {"status": int(result.status), "reason": result.description}

    print(
        json.dumps(
            {
                "known": await send(os.environ["KNOWN"]),
                "gone": await send(os.environ["GONE"]),
                "other": await send(os.environ["KNOWN"], "com.example.other"),
            }
        )
    )


asyncio.run(main())
