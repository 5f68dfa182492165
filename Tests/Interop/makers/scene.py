"""The log that most bundles are of."""

from .logs import Log, Writer, bundle, member, settings
from .world import ANNA, BERT, CLEO, PIVOT, STAMP, assign, put


class Scene:
    """A log with settings, two members (Anna may write everything, Bert only `things/*`), and what they wrote."""

    def __init__(self):
        self.pivot, self.anna, self.bert, self.cleo = Writer(PIVOT), Writer(ANNA), Writer(BERT), Writer(CLEO)
        self.log = Log()
        self.log.append(
            self.pivot.delta(
                settings("config", "things/*"), member(ANNA, "config", "things/**", offset=1), member(BERT, "things/*", offset=2)
            )
        )
        self.log.append(
            self.anna.delta(
                assign("config", '{"a":1}'), put("things/1", '"anna"', 1), put("things/2", '"gone"', 2), stamp=STAMP + 10
            )
        )
        self.log.append(self.bert.delta(put("things/1", '"bert"'), stamp=STAMP + 20))

    def bytes(self, items=None, **fields):
        items = self.log.all_placed() if items is None else items
        return bundle(items, fields.pop("checkpoints", [self.log.checkpoint()]), **fields)
