"""Reads a feed as a calendar program does. Prints what it made of it."""

import json
import sys

import icalendar

text = sys.stdin.buffer.read()
calendar = icalendar.Calendar.from_ical(text)
faults = [str(fault) for part in calendar.walk() for fault in part.errors]
events = [
    {
        "start": event["DTSTART"].dt.isoformat(),
        "end": event["DTEND"].dt.isoformat(),
        "stamp": event["DTSTAMP"].dt.isoformat(),
        "uid": str(event["UID"]),
        "summary": str(event["SUMMARY"]),
    }
    for event in calendar.walk("VEVENT")
]
print(
    json.dumps(
        {
            "faults": faults,
            "version": str(calendar["VERSION"]),
            "refresh": calendar["REFRESH-INTERVAL"].dt.total_seconds(),
            "name": str(calendar["X-WR-CALNAME"]),
            "events": events,
            "same": icalendar.Calendar.from_ical(calendar.to_ical()) == calendar,
        }
    )
)
