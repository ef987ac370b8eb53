"""Drives the API with a client that was generated from its document. Prints what the client made of it."""

import json
import os
import sys

sys.path.insert(0, os.environ["GENERATED"])

from client import AuthenticatedClient
from client.api.agents import get_agent, list_agents, list_boundaries, patch_agent, put_agent
from client.api.deliveries import list_deliveries
from client.models import AgentEdit, AgentInput, Notify, Slot

api = AuthenticatedClient(base_url=os.environ["ENDPOINT"], token=os.environ["TOKEN"])
hours = [Slot(day="mon", start="09:00", end="17:00")]
body = AgentInput(workspace="acme", name="Ana", timezone="Europe/Paris", hours=hours)
made = put_agent.sync_detailed("a-1", client=api, body=body)
mark = made.headers["etag"]
edit = AgentEdit(notify=Notify(start=True))
edited = patch_agent.sync("a-1", client=api, body=edit, if_match=mark)
stale = patch_agent.sync_detailed("a-1", client=api, body=edit, if_match=mark)
wrong = put_agent.sync("a-2", client=api, body=AgentInput(workspace="acme", name="B", timezone="Berlin"))
boundaries = list_boundaries.sync("a-1", client=api)
print(
    json.dumps(
        {
            "made": made.status_code,
            "rings": edited.notify.to_dict(),
            "stale": stale.status_code,
            "wrong": [error.field for error in wrong.errors],
            "read": get_agent.sync("a-1", client=api).name,
            "all": [agent.id for agent in list_agents.sync(client=api).items],
            "boundaries": [boundary.local for boundary in boundaries.items],
            "deliveries": len(list_deliveries.sync(client=api).items),
        }
    )
)
