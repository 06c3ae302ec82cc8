"""Maps commands, and prints what came of them as JSON."""

import json

import manyhands

with manyhands.connect() as hands:
    lines = hands.put(b"b\na\n")
    table = hands.put(b"x" * 2_000_000)
    left = manyhands.command(
        "sh",
        ["-c", 'echo "$1" > small; head -c 100000 /dev/zero > large', "sh", "{0}"],
        output={"files": ["small", "large"]},
    )
    files = hands.starmap(left, [["one"]]).gather()[0]
    told = {
        "sorted": hands.map(manyhands.command("sort", ["{input}"]), [lines, b"2\n1\n"]).gather(),
        "piped": hands.map(manyhands.command("sort", stdin="{input}"), ["d\nc\n"]).gather(),
        "large": hands.map(
            manyhands.command("sh", ["-c", "wc -c < table"], files={"table": b"y" * 2_000_000}), [0], priority=1
        ).gather(),
        "referred": hands.map(manyhands.command("sh", ["-c", "wc -c < table"], files={"table": table}), [0]).gather(),
        "small": files["small"].decode(),
        "left": len(hands.get(files["large"])),
        "submitted": hands.submit(manyhands.command("sh", ["-c", "echo $1$2", "sh", "{0}", "{1}"]), "a", 1).result(),
    }
    try:
        hands.map(manyhands.command("sh", ["-c", "echo bad >&2; exit 3"]), [0], max_attempts=1).gather()
    except manyhands.PlatformError as error:
        told["failure"] = error.message
    try:
        hands.map(manyhands.command("no/name"), [0]).gather()
    except manyhands.PlatformError as error:
        told["refusal"] = error.message
    print(json.dumps(told))
